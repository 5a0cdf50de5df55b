"""Envelope encryption of stored secrets: AES-256-GCM under a data key of its own, which a named key wraps.

The additional authenticated data names the row and the field, so a ciphertext copied into another row does not open.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from migrations_app.errors import Invalid, TidegateError


class SealBroken(TidegateError):
    """A stored secret does not open"""

    code = "seal_broken"


@dataclass(frozen=True)
class Keys:
    """Key-encryption keys by id; the first seals, all of them open."""

    by_id: Mapping[str, bytes]

    @classmethod
    def parse(cls, text: str) -> Keys:
        """From "k2:<base64 of 32 bytes>,k1:<...>". Raises Invalid without repeating any of it."""
        keys: dict[str, bytes] = {}
        for number, item in enumerate(part.strip() for part in text.split(",")):
            name, _, encoded = item.partition(":")
            try:
                keys[name] = base64.b64decode(encoded, validate=True)
            except binascii.Error:
                raise Invalid(f"TIDEGATE_KEYS: key number {number + 1} is not base64.") from None
            if not name or len(keys[name]) != 32:
                raise Invalid(f"TIDEGATE_KEYS: key number {number + 1} must be name:<base64 of exactly 32 bytes>.")
        return cls(keys)

    def __repr__(self) -> str:
        return f"Keys({', '.join(self.by_id)})"


def seal(secret: str, *, keys: Keys, bound_to: str) -> str:
    """The sealed form of `secret`, to be opened only for the same `bound_to` ("target|<id>|url")."""
    key_id, key = next(iter(keys.by_id.items()))
    data_key, wrap_nonce, nonce = os.urandom(32), os.urandom(12), os.urandom(12)
    aad = f"v1|{bound_to}|{key_id}".encode()
    parts = {
        "wrapped": AESGCM(key).encrypt(wrap_nonce, data_key, aad),
        "wrap_nonce": wrap_nonce,
        "nonce": nonce,
        "text": AESGCM(data_key).encrypt(nonce, secret.encode(), aad),
    }
    return json.dumps({"v": 1, "key": key_id, **{name: base64.b64encode(b).decode() for name, b in parts.items()}})


def unseal(sealed: str, *, keys: Keys, bound_to: str) -> str:
    """The secret. Raises SealBroken when its key is gone, or it was altered or moved from another row."""
    box = json.loads(sealed)
    key = keys.by_id.get(box["key"])
    if key is None:
        raise SealBroken(f"The secret of {bound_to} was sealed with key {box['key']!r}, which TIDEGATE_KEYS lacks.")
    part = {name: base64.b64decode(box[name]) for name in ("wrapped", "wrap_nonce", "nonce", "text")}
    aad = f"v1|{bound_to}|{box['key']}".encode()
    try:
        data_key = AESGCM(key).decrypt(part["wrap_nonce"], part["wrapped"], aad)
        return AESGCM(data_key).decrypt(part["nonce"], part["text"], aad).decode()
    except InvalidTag:
        raise SealBroken(f"The secret of {bound_to} was altered, or belongs to another row. Enter it again.") from None


def is_reference(value: str) -> bool:
    """Whether the value says where the secret is, instead of being one."""
    return value.startswith(("env:", "file:"))


def resolve(reference: str, *, environ: Mapping[str, str] = os.environ) -> str:
    """The secret behind env:TIDEGATE_TARGET_* or file:PATH, read anew each time so that a rotation is seen."""
    scheme, _, name = reference.partition(":")
    if scheme == "env":
        if not name.startswith("TIDEGATE_TARGET_"):
            raise Invalid.field("/url", "A reference to the environment must name a variable TIDEGATE_TARGET_...")
        if name not in environ:
            raise Invalid.field("/url", f"The environment variable {name} is not set where the workers run.")
        return environ[name]
    directory = environ.get("TIDEGATE_SECRETS_DIR", "/run/secrets")
    path = Path(name).resolve()
    if not path.is_relative_to(Path(directory).resolve()):
        raise Invalid.field("/url", f"A file reference must lie in {directory} (TIDEGATE_SECRETS_DIR).")
    try:
        return path.read_text().strip()
    except OSError as error:
        raise Invalid.field("/url", f"{path} cannot be read: {error.strerror}.") from None
