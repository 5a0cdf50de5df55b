"""Numbers as people read them: thin separators, whole units, and no precision that is not there."""

from __future__ import annotations

THIN_SPACE = "\u2009"
_PLURALS = {"history": "histories"}


def grouped(number: float) -> str:
    """12 430 112, with thin spaces, which do not break and are not mistaken for a decimal sign."""
    return f"{number:,.0f}".replace(",", "\u202f")


def how_many(number: int, noun: str) -> str:
    """ "1 row", "41.0 million rows": a large count is an estimate anyway."""
    plural = noun if number == 1 else _PLURALS.get(noun, f"{noun}s")
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if number >= size:
            return f"{number / size:.1f} {word} {plural}"
    return f"{grouped(number)} {plural}"


def how_much(size_bytes: int | None) -> str:
    """Bytes in binary units, empty when not known."""
    if size_bytes is None:
        return ""
    size = float(size_bytes)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"


def how_long(seconds: float) -> str:
    """ "8 s", "3 min 20 s", "2 h 5 min", "3 d 4 h"."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms" if seconds else "0 s"
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s".replace(".0 s", " s")
    whole = round(seconds)
    for big, small, names in ((86_400, 3600, "d h"), (3600, 60, "h min"), (60, 1, "min s")):
        if whole >= big:
            major, minor = names.split()
            rest = whole % big // small
            return f"{whole // big} {major} {rest} {minor}" if rest else f"{whole // big} {major}"
    return f"{whole} s"
