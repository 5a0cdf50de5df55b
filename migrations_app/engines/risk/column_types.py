"""Types of columns: which change of type can lose or refuse values, and which rewrites the table (PostgreSQL 12+)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import postgast

from migrations_app.engines.risk import names
from migrations_app.engines.risk.names import Node

_SERIALS = {"serial": "int4", "serial4": "int4", "bigserial": "int8", "serial8": "int8", "smallserial": "int2"}
_SHOWN = {
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "bpchar": "char",
    "bool": "boolean",
    "timetz": "time with time zone",
}
_INT_DIGITS = {"int2": 5, "int4": 10, "int8": 19}
_STRINGS = {"text", "varchar", "bpchar", "citext", "name"}
_TIMES = {"timestamp", "timestamptz", "time", "timetz", "interval"}
_SECONDS = 6
"""The default precision of times: microseconds."""

# What holds every value of the old type, whatever its modifier. Strings are apart: text holds anything.
_HOLDS = {
    ("int2", "int4"), ("int2", "int8"), ("int4", "int8"),
    ("int2", "float4"), ("int2", "float8"), ("int4", "float8"), ("float4", "float8"),
    ("date", "timestamp"), ("date", "timestamptz"), ("timestamp", "timestamptz"),
    ("time", "timetz"), ("time", "interval"), ("cidr", "inet"), ("json", "jsonb"), ("jsonb", "json"),
    ("bool", "int2"), ("bool", "int4"), ("bool", "int8"), ("bit", "varbit"), ("money", "numeric"),
    ("macaddr", "macaddr8"), ("xid", "xid8"), ("oid", "int8"),
}  # fmt: skip
# Types that no built-in type of their family exceeds: a change to them is taken for a widening when the old is unknown.
_WIDEST = {"text", "varchar", "citext", "numeric", "int8", "timestamptz", "jsonb", "json"}
# Changes between different types that keep the heap as it is: the values are stored alike. [measured on 15 and 18]
_TEXTS = ("text", "varchar", "citext")
_BINARY_ALIKE = {
    *((old, new) for old in _TEXTS for new in (*_TEXTS, "bpchar")),
    ("xml", "text"), ("xml", "varchar"), ("xml", "bpchar"), ("cidr", "inet"), ("bit", "varbit"), ("varbit", "bit"),
    *((one, other) for kind in ("int4", "regclass", "regtype", "regproc", "regprocedure", "regnamespace", "regrole")
      for one, other in (("oid", kind), (kind, "oid"), ("int4", kind), (kind, "int4"))),
}  # fmt: skip


BUILT_IN = frozenset(_SHOWN) | _STRINGS | _TIMES | {
    "numeric", "date", "uuid", "json", "jsonb", "xml", "bytea", "inet", "cidr", "macaddr", "macaddr8", "money", "bit",
    "varbit", "oid", "point", "tsvector", "tsquery",
}  # fmt: skip
"""The usual types that come with PostgreSQL, so that they are no domains of users."""


@dataclass(frozen=True, slots=True)
class ColumnType:
    """`base` is PostgreSQL's internal name ("int4"), `mods` the numbers in brackets, `dimensions` those of an array."""

    base: str
    mods: tuple[int, ...] = ()
    dimensions: int = 0

    def __str__(self) -> str:
        shown = _SHOWN.get(self.base, self.base)
        return shown + (f"({','.join(map(str, self.mods))})" if self.mods else "") + "[]" * self.dimensions

    @property
    def element(self) -> ColumnType:
        return ColumnType(self.base, self.mods)


def from_node(type_name: Node) -> ColumnType:
    """The type as a parse tree spells it."""
    name = names.of_strings(type_name.names)
    base = name.removeprefix("pg_catalog.")
    mods = tuple(item.a_const.ival.ival for item in type_name.typmods if item.WhichOneof("node") == "a_const")
    if base == "interval" and mods:
        # The first number is a mask of fields, which takes nothing away unless it is not the full one.
        mods = mods[1:]
    return ColumnType(_SERIALS.get(base, base), mods, len(type_name.array_bounds))


def spell(type_name: Node) -> str:
    """The type in words that `parse` reads back."""
    return str(from_node(type_name))


@lru_cache(maxsize=4096)
def parse(spelled: str) -> ColumnType | None:
    """The type of a `format_type` spelling; None when it cannot be read."""
    try:
        tree = postgast.parse(f"SELECT NULL::{spelled}")
    except postgast.PgQueryError:
        return None
    return from_node(tree.stmts[0].stmt.select_stmt.target_list[0].res_target.val.type_cast.type_name)


def narrowing(old: ColumnType | None, new: ColumnType) -> str | None:
    """Why values of the old type may not fit the new one; None when every value does. None for `old` is unknown."""
    if old is None:
        if not new.mods and new.base in _WIDEST:
            return None
        return f"the current type is not known, and {new} does not hold everything"
    if old == new:
        return None
    if old.dimensions != new.dimensions:
        return _array_narrowing(old, new)
    if old.base == new.base:
        return _shorter(old, new)
    return None if _holds_all(old.element, new.element) else f"{new} does not hold every value of {old}"


def _array_narrowing(old: ColumnType, new: ColumnType) -> str | None:
    if new.base in _STRINGS | {"json", "jsonb"} and not new.dimensions and not new.mods:
        return None
    if old.dimensions and new.dimensions:
        # PostgreSQL does not tell integer[] from integer[][].
        return narrowing(old.element, new.element)
    return f"{new} holds one value, {old} many" if old.dimensions else narrowing(old, new.element)


def _shorter(old: ColumnType, new: ColumnType) -> str | None:
    if not new.mods:
        return None
    if old.base == "numeric":
        return _numeric_shorter(old.mods, new.mods)
    limit = old.mods or ((_SECONDS,) if old.base in _TIMES else ())
    if limit and len(limit) == len(new.mods) and all(n >= o for o, n in zip(limit, new.mods, strict=True)):
        return None
    return f"{new} is shorter than {old}"


def _numeric_shorter(old: tuple[int, ...], new: tuple[int, ...]) -> str | None:
    precision, scale = new[0], new[1] if len(new) > 1 else 0
    if not old:
        return f"numeric without limits does not fit numeric({precision},{scale})"
    old_precision, old_scale = old[0], old[1] if len(old) > 1 else 0
    if scale < old_scale:
        return f"{old_scale} decimal places become {scale}: values are rounded"
    if precision - scale < old_precision - old_scale:
        return f"{old_precision - old_scale} digits before the point become {precision - scale}"
    return None


def _holds_all(old: ColumnType, new: ColumnType) -> bool:
    if new.base in _STRINGS:
        return _string_holds(old, new)
    if old.base in _STRINGS:
        return False
    if new.base == "numeric" and old.base in _INT_DIGITS:
        whole = new.mods[0] - (new.mods[1] if len(new.mods) > 1 else 0) if new.mods else None
        return whole is None or whole >= _INT_DIGITS[old.base]
    if new.base in _TIMES and new.mods and old.base != "date" and new.mods[0] < (old.mods or (_SECONDS,))[0]:
        return False
    if new.base == "varbit" and new.mods:
        return old.base == "bit" and new.mods[0] >= (old.mods or (1,))[0]
    return (old.base, new.base) in _HOLDS or (new.base in ("json", "jsonb") and not old.mods)


def _string_holds(old: ColumnType, new: ColumnType) -> bool:
    if not new.mods and new.base not in ("bpchar", "name"):
        return True
    limit = new.mods[0] if new.mods else 1
    if old.base in ("varchar", "bpchar"):
        return bool(old.mods) and old.mods[0] <= limit
    widths = {"bool": 5, "uuid": 36, "int2": 6, "int4": 11, "int8": 20, "date": 13, "timestamp": 29, "timestamptz": 35}
    return old.base in widths and widths[old.base] <= limit


def rewrites(old: ColumnType | None, new: ColumnType, *, version: int) -> bool | None:
    """Whether the change writes the whole table anew; None when that depends on what is not known here.

    Domains are not looked through: give their base types. Nothing is said of a USING expression.
    """
    if old is None:
        # Only these are often reached without a rewrite, so that nothing can be said.
        return None if new.base in ("text", "varchar", "timestamptz", "numeric", "citext") else True
    if old == new:
        return False
    if old.dimensions or new.dimensions:
        # PostgreSQL does not tell integer[] from integer[][]; elements are converted one by one, whatever their types.
        is_same = old.element == new.element or (old.base == new.base and not new.mods)
        return not (old.dimensions and new.dimensions and is_same)
    if old.base != new.base:
        if {old.base, new.base} == {"timestamp", "timestamptz"} and version >= 120000:
            return None
        return (old.base, new.base) not in _BINARY_ALIKE or bool(new.mods)
    if new.base == "numeric":
        return bool(new.mods) and not _same_scale_and_longer(old.mods, new.mods)
    # char(n) pads with blanks, so that any change of n writes every row; bit(n) likewise.
    if new.base in ("bpchar", "bit"):
        return bool(new.mods)
    return _shorter(old, new) is not None


def rewrites_times(new: ColumnType) -> bool:
    """Between timestamp and timestamptz in UTC: only a precision below microseconds changes values."""
    return bool(new.mods) and new.mods[0] < _SECONDS


def _same_scale_and_longer(old: tuple[int, ...], new: tuple[int, ...]) -> bool:
    scale = new[1] if len(new) > 1 else 0
    old_scale = old[1] if len(old) > 1 else 0
    return bool(old) and scale == old_scale and new[0] >= old[0]
