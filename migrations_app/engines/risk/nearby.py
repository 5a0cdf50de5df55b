"""The statements around the one that is judged: all of a revision, but not all of a dump of 60,000."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import overload

from migrations_app.engines.risk.statements import Statement

WHOLE = 2_000
"""Up to so many statements a rule that looks ahead or back sees all of the input."""
REACH = 20
"""In a larger one it sees so many in each direction: else every look would make the work quadratic."""


class Nearby(Sequence[Statement]):
    """Indexed like the whole input. Iteration and slices give only what lies within reach of `at`."""

    def __init__(self, statements: Sequence[Statement]) -> None:
        self._all = statements
        self.at = 0

    def __len__(self) -> int:
        return len(self._all)

    @overload
    def __getitem__(self, index: int) -> Statement: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Statement]: ...
    def __getitem__(self, index: int | slice) -> Statement | Sequence[Statement]:
        if isinstance(index, int):
            return self._all[index]
        start, stop, step = index.indices(len(self._all))
        return self._all[max(start, self.at - REACH) : min(stop, self.at + REACH) : step]

    def __iter__(self) -> Iterator[Statement]:
        return iter(self._all[max(self.at - REACH, 0) : self.at + REACH])
