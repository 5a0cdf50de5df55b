"""The lock modes of tables, and one lock taken."""

from __future__ import annotations

from dataclasses import dataclass

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
"""Those that at least writers wait for."""
_STRENGTH = {mode: strength for strength, mode in enumerate(MODES)}


@dataclass(frozen=True, slots=True)
class Touch:
    """One lock on one relation, named as the statement does. Without a mode it is only named."""

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
    return max(one, other, key=_STRENGTH.__getitem__)
