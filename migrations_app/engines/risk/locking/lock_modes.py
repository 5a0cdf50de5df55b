"""The lock modes of tables, and one lock taken."""

from __future__ import annotations

from typing import NamedTuple

MODES = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
"""The lock modes of tables, weakest first."""
AS, RS, RX, SUE, SH, SRX, EX, AX = MODES
BLOCKING = frozenset({SH, SRX, EX, AX})
"""Those that make writers wait."""
_STRENGTH = {mode: strength for strength, mode in enumerate(MODES)}


class Touch(NamedTuple):
    """One lock on one relation, named as the statement does. Without a mode it is only named.

    `scan`: all of it is read, or an index of it is built. `rewrite`: all of it is written to a new file.
    """

    name: str
    mode: str | None
    scan: bool = False
    rewrite: bool = False

    def with_all_of(self, other: Touch | None) -> Touch:
        """Both locks on the same relation as one."""
        if other is None:
            return self
        mode = stronger(self.mode, other.mode)
        return Touch(self.name, mode, self.scan or other.scan, self.rewrite or other.rewrite)


def stronger(one: str | None, other: str | None) -> str | None:
    """The stronger of two modes; None is none."""
    if one is None or other is None:
        return one or other
    return one if _STRENGTH[one] >= _STRENGTH[other] else other
