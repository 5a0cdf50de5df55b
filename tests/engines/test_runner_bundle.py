"""Snapshots that are named by their content."""

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from migrations_app.engines.runner.bundle import receive, snapshot, unpack
from migrations_app.engines.runner.limits import Limits
from migrations_app.errors import Invalid, TooLarge
from tests.engines.histories import lay

LIMITS = Limits()


def tar_of(member, content=b""):
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return gzip.compress(plain.getvalue())


def test_the_same_content_gives_the_same_bytes(tmp_path):
    first = snapshot(lay(tmp_path / "a", "linear"), limits=LIMITS)
    second = snapshot(lay(tmp_path / "b", "linear"), limits=LIMITS)
    assert (first.digest, first.archive) == (second.digest, second.archive)
    (tmp_path / "b" / "alembic.ini").write_text("[alembic]\n")
    assert snapshot(tmp_path / "b", limits=LIMITS).digest != first.digest


def test_what_is_no_source_stays_out(tmp_path):
    source = lay(tmp_path, "linear")
    for name in (".git/config", ".venv/x.py", "node_modules/x.js", "__pycache__/x.pyc", ".env", ".ruff_cache/x"):
        (source / name).parent.mkdir(exist_ok=True)
        (source / name).write_text("x")
    files = set(snapshot(source, limits=LIMITS).files)
    versions = {f"migrations/versions/{name}" for name in ("001_items.py", "002_price.py", "003_discount.py")}
    assert files == {"alembic.ini", "migrations/env.py"} | versions


def test_an_unpacked_bundle_is_read_only_and_made_anew_when_it_was_changed(tmp_path):
    made = snapshot(lay(tmp_path / "a", "linear"), limits=LIMITS)
    place = unpack(made.archive, made.digest, tmp_path / "cache")
    env = place / "migrations" / "env.py"
    assert env.stat().st_mode & 0o222 == 0
    env.chmod(0o644)
    env.write_text("import os; os.system('rm -rf /')")
    assert unpack(made.archive, made.digest, tmp_path / "cache") == place
    assert "rm -rf" not in env.read_text()


def test_another_archive_than_the_digest_names_is_refused(tmp_path):
    made = snapshot(lay(tmp_path / "a", "linear"), limits=LIMITS)
    other = snapshot(lay(tmp_path / "b", "heads"), limits=LIMITS)
    with pytest.raises(Invalid, match="does not hold"):
        unpack(other.archive, made.digest, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [("../x", tarfile.REGTYPE), ("/etc/x", tarfile.REGTYPE), ("x", tarfile.SYMTYPE), ("x", tarfile.CHRTYPE)],
)
def test_an_archive_holds_plain_files_only(tmp_path, name, kind):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(Invalid, match="not a plain file"):
        unpack(tar_of(member), "sha256:00", tmp_path)


def test_what_is_no_archive_is_said_so(tmp_path):
    with pytest.raises(Invalid, match="cannot be read"):
        receive(b"PK nonsense", limits=LIMITS)


def test_an_uploaded_archive_has_the_digest_of_its_folder(tmp_path):
    made = snapshot(lay(tmp_path, "linear"), limits=LIMITS)
    assert receive(made.archive, limits=LIMITS).digest == made.digest


def test_links_may_not_leave_the_folder(tmp_path):
    source = lay(tmp_path / "a", "linear")
    (source / "inside.py").symlink_to(source / "migrations" / "env.py")
    assert "inside.py" in snapshot(source, limits=LIMITS).files
    (source / "secrets").symlink_to("/etc/passwd")
    with pytest.raises(Invalid, match="leaves the folder"):
        snapshot(source, limits=LIMITS)


def test_size_missing_ini_and_missing_folder_are_said(tmp_path):
    source = lay(tmp_path / "a", "linear")
    with pytest.raises(TooLarge):
        snapshot(source, limits=Limits(bundle_bytes=100))
    with pytest.raises(Invalid, match=r"no other\.ini"):
        snapshot(source, alembic_ini="other.ini", limits=LIMITS)
    with pytest.raises(Invalid, match="There is no folder"):
        snapshot(Path("/nowhere/at/all"), limits=LIMITS)
