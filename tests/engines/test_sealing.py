"""Stored secrets: open only for their own row, under any of the known keys, and never in a message."""

import base64
import json

import pytest

from migrations_app.engines import sealing
from migrations_app.errors import Invalid

SECRET = "postgresql://app:hush@db/shop"


def keys(*names):
    return sealing.Keys.parse(",".join(f"{n}:{base64.b64encode(n.encode().ljust(32, b'.')).decode()}" for n in names))


def test_a_secret_opens_for_its_own_row_only():
    sealed = sealing.seal(SECRET, keys=keys("k1"), bound_to="target|1|url")
    assert "hush" not in sealed
    assert sealing.unseal(sealed, keys=keys("k1"), bound_to="target|1|url") == SECRET
    with pytest.raises(sealing.SealBroken, match="another row"):
        sealing.unseal(sealed, keys=keys("k1"), bound_to="target|2|url")


def test_a_new_key_seals_and_the_old_one_still_opens():
    old = sealing.seal(SECRET, keys=keys("k1"), bound_to="x")
    both = keys("k2", "k1")
    assert sealing.unseal(old, keys=both, bound_to="x") == SECRET
    assert json.loads(sealing.seal(SECRET, keys=both, bound_to="x"))["key"] == "k2"


def test_a_lost_key_is_named_and_a_flipped_bit_is_found():
    sealed = sealing.seal(SECRET, keys=keys("k1"), bound_to="x")
    with pytest.raises(sealing.SealBroken, match="'k1'"):
        sealing.unseal(sealed, keys=keys("k2"), bound_to="x")
    box = json.loads(sealed)
    text = bytearray(base64.b64decode(box["text"]))
    text[0] ^= 1
    box["text"] = base64.b64encode(text).decode()
    with pytest.raises(sealing.SealBroken, match="altered"):
        sealing.unseal(json.dumps(box), keys=keys("k1"), bound_to="x")


@pytest.mark.parametrize("text", ["k1", "k1:!!!", "k1:c2hvcnQ=", ":" + base64.b64encode(bytes(32)).decode()])
def test_bad_keys_are_refused_without_being_repeated(text):
    with pytest.raises(Invalid) as refused:
        sealing.Keys.parse(text)
    assert text not in refused.value.detail
    assert "key number 1" in refused.value.detail


def test_a_reference_is_read_anew_and_only_where_it_may_lie(tmp_path):
    environ = {"TIDEGATE_TARGET_SHOP": SECRET, "TIDEGATE_SECRETS_DIR": str(tmp_path), "HOME": "/root"}
    assert sealing.resolve("env:TIDEGATE_TARGET_SHOP", environ=environ) == SECRET
    (tmp_path / "shop").write_text(f"{SECRET}\n")
    assert sealing.resolve(f"file:{tmp_path}/shop", environ=environ) == SECRET
    for reference in ("env:HOME", "env:TIDEGATE_TARGET_OTHER", "file:/etc/hostname", f"file:{tmp_path}/../x"):
        with pytest.raises(Invalid):
            sealing.resolve(reference, environ=environ)
