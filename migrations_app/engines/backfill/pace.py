"""How many rows the next chunk takes, steered so that a chunk lasts `target_s`: pure, from the chunks just done."""

from __future__ import annotations

from dataclasses import dataclass, replace

START, FLOOR, CEILING = 1_000, 10, 100_000
REMEMBERED = 10  # chunks: the p90 of ten lets one outlier pass
CALM_CHUNKS = 5  # after trouble the size does not grow for so many chunks


@dataclass(frozen=True)
class Pace:
    """The size of the next chunk, and the seconds a row took in the last ones."""

    target_s: float
    rows: int = START
    recent: tuple[float, ...] = ()
    calm_left: int = 0

    def after(self, scanned: int, elapsed_s: float) -> Pace:
        """Steer by one committed chunk: grows by the p90 of recent chunks and at most twofold, shrinks at once."""
        if scanned <= 0:
            return self
        row_s = max(elapsed_s, 1e-9) / scanned
        recent = (*self.recent, row_s)[-REMEMBERED:]
        ideal = self.target_s / max(_p90(recent), row_s)
        most = self.rows if self.calm_left else self.rows * 2
        return replace(self, rows=_bounded(min(ideal, most)), recent=recent, calm_left=max(0, self.calm_left - 1))

    def after_trouble(self) -> Pace:
        """A lock timeout, deadlock or statement timeout: half the rows, and no growth for some chunks."""
        return replace(self, rows=_bounded(self.rows / 2), calm_left=CALM_CHUNKS)


def _bounded(rows: float) -> int:
    return max(FLOOR, min(CEILING, int(rows)))


def _p90(values: tuple[float, ...]) -> float:
    return sorted(values)[max(0, -(-len(values) * 9 // 10) - 1)]
