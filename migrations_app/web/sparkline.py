"""Small charts, drawn on the server. Everything is an attribute: the page's policy forbids inline styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH = 320
HEIGHT = 56
PAD = 3
MOST_POINTS = 160


@dataclass(frozen=True)
class Sparkline:
    """Coordinates for one SVG. `lines` are runs of points: where nothing was measured the line has a gap.

    `limit_y` is where a limit is drawn, None when it lies outside or there is none.
    """

    lines: tuple[str, ...]
    last: tuple[float, float] | None
    limit_y: float | None
    top: float
    width: int = WIDTH
    height: int = HEIGHT


def sparkline(values: Sequence[float | None], *, limit: float | None = None) -> Sparkline:
    """A line over the values, oldest first, from 0 to the largest; a limit is kept in sight."""
    thinned = thin(values)
    known = [value for value in thinned if value is not None]
    top = max([*known, limit or 0.0, 1e-9]) * 1.08
    step = (WIDTH - 2 * PAD) / max(len(thinned) - 1, 1)
    points = [
        None if value is None else (round(PAD + index * step, 1), _y(value, top)) for index, value in enumerate(thinned)
    ]
    return Sparkline(
        lines=_runs(points),
        last=next((point for point in reversed(points) if point), None),
        limit_y=None if limit is None else _y(limit, top),
        top=max(known, default=0.0),
    )


def thin(values: Sequence[float | None]) -> list[float | None]:
    """At most MOST_POINTS values; of each group the largest survives, since a peak is what people look for."""
    size = -(-len(values) // MOST_POINTS)
    if size <= 1:
        return list(values)
    groups = [values[start : start + size] for start in range(0, len(values), size)]
    return [max((value for value in group if value is not None), default=None) for group in groups]


def _y(value: float, top: float) -> float:
    return round(HEIGHT - PAD - (HEIGHT - 2 * PAD) * value / top, 1)


def _runs(points: Sequence[tuple[float, float] | None]) -> tuple[str, ...]:
    runs: list[list[str]] = [[]]
    for point in points:
        if point is None:
            runs.append([])
        else:
            runs[-1].append(f"{point[0]},{point[1]}")
    return tuple(" ".join(run) for run in runs if run)
