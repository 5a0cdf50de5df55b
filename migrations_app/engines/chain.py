"""The arithmetic of the audit: each entry's hash covers its content and the hash before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


def plain(value: Any) -> Any:
    """`value` as JSON that a database gives back unchanged: floats become text, as JSONB may spell them anew."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    return str(value)


def canonical(value: Any) -> bytes:
    """Sorted keys, no spaces, UTF-8: the same value gives the same bytes."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def link(prev_hash: str, entry: Mapping[str, Any]) -> str:
    """SHA-256 over the hash before and the canonical entry, in hex."""
    return hashlib.sha256(prev_hash.encode() + canonical(plain(entry))).hexdigest()


@dataclass(frozen=True)
class Verdict:
    """`first_bad` is the lowest sequence number that does not fit, or None. `reason` says how it does not."""

    ok: bool
    checked: int
    first_bad: int | None
    reason: str


def verify(
    entries: Iterable[tuple[Mapping[str, Any], str, str]], *, head_seq: int, head_hash: str, zero_hash: str
) -> Verdict:
    """Checks (entry, prev_hash, hash) in order of sequence against the chain and its head."""
    expected_seq, previous = 1, zero_hash
    for entry, prev_hash, own_hash in entries:
        if entry["seq"] != expected_seq:
            return Verdict(False, expected_seq - 1, expected_seq, f"entry {expected_seq} is missing")
        if prev_hash != previous or link(previous, entry) != own_hash:
            return Verdict(
                False, expected_seq - 1, expected_seq, f"entry {expected_seq} was changed after it was written"
            )
        previous, expected_seq = own_hash, expected_seq + 1
    checked = expected_seq - 1
    if checked != head_seq or previous != head_hash:
        return Verdict(False, checked, expected_seq, f"the chain ends at {checked}, its head says {head_seq}")
    return Verdict(True, checked, None, f"all {checked} entries fit")
