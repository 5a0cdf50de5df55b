"""What the catalog of a target says, as far as the rules ask: plain values that the postgres engine fills in.

Everywhere `None` means "not known", and is treated as if there were data: not knowing never makes a statement safe.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

TableKind = Literal["table", "partitioned", "view", "matview", "foreign"]
ConstraintKind = Literal["primary", "unique", "foreign", "check", "exclude", "not_null"]


@dataclass(frozen=True)
class ColumnFacts:
    """One column. `type` is spelled as `format_type` does ("character varying(50)", "integer", "numeric(10,2)[]")."""

    name: str
    type: str
    not_null: bool = False
    has_values: bool | None = None
    """Whether any row holds something other than NULL here."""
    default: str | None = None


@dataclass(frozen=True)
class ConstraintFacts:
    """One constraint. `definition` is that of `pg_get_constraintdef`; `references` names a foreign key's parent."""

    name: str
    kind: ConstraintKind
    columns: tuple[str, ...] = ()
    definition: str = ""
    validated: bool = True
    references: str | None = None


@dataclass(frozen=True)
class IndexFacts:
    """One index. `columns` holds plain columns only; an expression is the empty string."""

    name: str
    columns: tuple[str, ...] = ()
    unique: bool = False
    primary: bool = False
    valid: bool = True
    bytes: int | None = None


@dataclass(frozen=True)
class TableFacts:
    """One relation. `rows` is an estimate unless it is 0; `bytes` counts heap, TOAST and indexes."""

    schema: str
    name: str
    kind: TableKind = "table"
    rows: int | None = None
    bytes: int | None = None
    has_rows: bool | None = None
    """Proven by reading, not estimated: False only when the table was seen to be empty."""
    columns: Mapping[str, ColumnFacts] = field(default_factory=dict)
    constraints: tuple[ConstraintFacts, ...] = ()
    indexes: tuple[IndexFacts, ...] = ()
    referenced_by: tuple[str, ...] = ()
    """Qualified names of the tables whose foreign keys point here, without the table itself."""
    dependents: tuple[str, ...] = ()
    """What a DROP ... CASCADE would take with it, in words ("view public.active_users")."""

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class Facts:
    """The catalog as it was read. `tables` is keyed by qualified name, unquoted ("public.users").

    A table that was asked for and is not here does not exist on the target; one that nobody asked for is unknown.
    """

    server_version: int
    tables: Mapping[str, TableFacts]
    search_path: tuple[str, ...] = ("public",)
    asked: frozenset[str] | None = None
    """The names that were looked up; None when the whole catalog was read."""
    enums: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The labels of each enum type, in order, by qualified name ("public.status")."""

    def find(self, name: str) -> TableFacts | None:
        """The relation that PostgreSQL would resolve `name` to ("users" or "sales.users"), None when there is none."""
        if name in self.tables:
            return self.tables[name]
        for schema in self.search_path:
            if found := self.tables.get(f"{schema}.{name}"):
                return found
        return None

    def enum_labels(self, name: str) -> tuple[str, ...] | None:
        """The labels of the enum that `name` would resolve to, None when the target has no such enum."""
        spellings = [name, *(f"{schema}.{name}" for schema in self.search_path)]
        return next((self.enums[spelling] for spelling in spellings if spelling in self.enums), None)

    def index_owner(self, index: str) -> TableFacts | None:
        """The table that carries the index of this bare name."""
        return next((t for t in self.tables.values() if any(i.name == index for i in t.indexes)), None)

    def in_schema(self, schema: str) -> Sequence[TableFacts]:
        return [table for table in self.tables.values() if table.schema == schema]
