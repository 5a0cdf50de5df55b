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
    has_nulls: bool | None = None
    """Whether any row is NULL here; known to be False for a NOT NULL column."""
    identity: str = ""
    """"a": GENERATED ALWAYS AS IDENTITY, "d": BY DEFAULT."""
    generated: str = ""
    """"s": STORED, "v": VIRTUAL (PostgreSQL 18)."""
    collation: str | None = None
    """Only where it differs from that of the type."""


@dataclass(frozen=True)
class ConstraintFacts:
    """One constraint. `definition` is that of `pg_get_constraintdef`; `references` names a foreign key's parent."""

    name: str
    kind: ConstraintKind
    columns: tuple[str, ...] = ()
    definition: str = ""
    validated: bool = True
    references: str | None = None
    referenced_columns: tuple[str, ...] = ()
    on_delete: str = ""
    """As pg_constraint.confdeltype: "c" CASCADE, "n" SET NULL, "d" SET DEFAULT, "r" RESTRICT, "a" NO ACTION."""
    index: str | None = None
    """The bare name of the index that carries it."""


@dataclass(frozen=True)
class IndexFacts:
    """One index. `columns` holds plain columns only; an expression is the empty string."""

    name: str
    columns: tuple[str, ...] = ()
    unique: bool = False
    primary: bool = False
    valid: bool = True
    bytes: int | None = None
    definition: str = ""
    """By `pg_get_indexdef`."""
    predicate: str = ""
    method: str = "btree"


@dataclass(frozen=True)
class TriggerFacts:
    """One trigger of a user's own. `function` is qualified; `definition` by `pg_get_triggerdef`."""

    name: str
    function: str
    enabled: bool = True
    definition: str = ""


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
    column_dependents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By column: what stands on it and would break or go, in words (views, generated columns, policies, indexes)."""
    partitions: tuple[str, ...] = ()
    """Qualified names of the direct partitions or inheritance children."""
    partition_of: str | None = None
    partition_bound: str = ""
    """By `pg_get_expr`: "DEFAULT", "FOR VALUES FROM (1) TO (10)"."""
    partition_key: str = ""
    """By `pg_get_partkeydef`: "RANGE (created_at)"."""
    default_partition: str | None = None
    triggers: tuple[TriggerFacts, ...] = ()
    policies: tuple[str, ...] = ()
    rls_enabled: bool = False
    rules: tuple[str, ...] = ()
    """Names of rewrite rules, without the one that makes a view."""
    persistence: str = "p"
    """"p" permanent, "u" unlogged, "t" temporary."""
    access_method: str = "heap"
    options: tuple[str, ...] = ()
    replica_identity: str = "d"
    """As pg_class.relreplident: "d" default (primary key), "n" nothing, "f" full, "i" an index."""
    publications: tuple[str, ...] = ()
    """Those that publish it, FOR ALL TABLES too."""
    owner: str = ""
    extension: str | None = None
    """The extension that it belongs to."""
    view_definition: str = ""
    reads: tuple[str, ...] = ()
    """For a view: the qualified names of the relations that it reads."""
    is_populated: bool | None = None
    """For a materialized view."""
    seq_scans: int | None = None
    idx_scans: int | None = None
    writes: int | None = None
    """Rows inserted, updated and deleted since the server's statistics were reset."""
    stats_age_s: float | None = None
    """Seconds since the statistics were reset, None when never."""

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class FunctionFacts:
    """One function or procedure of a user's own. `volatility`: "i", "s", "v". `settings`: its SET clauses."""

    schema: str
    name: str
    arguments: str = ""
    language: str = "sql"
    volatility: str = "v"
    kind: str = "f"
    """As pg_proc.prokind: "f" function, "p" procedure, "a" aggregate, "w" window."""
    definition: str = ""
    """By `pg_get_functiondef`: a whole CREATE FUNCTION; empty where that cannot be had."""
    security_definer: bool = False
    settings: tuple[str, ...] = ()
    extension: str | None = None
    dependents: tuple[str, ...] = ()
    """Triggers, views, defaults and others that would go with it, in words."""

    @property
    def qualified(self) -> str:
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True)
class SequenceFacts:
    """One sequence. `last_value` is None before its first use or when it may not be read."""

    last_value: int | None = None
    increment: int = 1
    max_value: int | None = None
    type: str = "bigint"
    owned_by: str | None = None
    """"schema.table.column" for a serial or identity column."""
    used_by: tuple[str, ...] = ()
    """Columns whose default calls it, in words."""


@dataclass(frozen=True)
class TypeFacts:
    """A domain, enum, composite or range type. `columns` are "schema.table.column" of that type, arrays too."""

    kind: str
    """"domain", "enum", "composite", "range"."""
    base: str = ""
    not_null: bool = False
    checks: Mapping[str, bool] = field(default_factory=dict)
    """For a domain: the name of each CHECK, and whether it is validated."""
    columns: tuple[str, ...] = ()
    extension: str | None = None


@dataclass(frozen=True)
class Question:
    """Something that only the rows can tell, asked with a limit in time. `sql` is one SELECT of one value.

    The rules make them (`Rule.ask`), the postgres engine answers in a read-only transaction.
    """

    sql: str


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
    types: Mapping[str, TypeFacts] = field(default_factory=dict)
    """Types of users, enums too, by qualified name."""
    functions: Mapping[str, tuple[FunctionFacts, ...]] = field(default_factory=dict)
    """Functions and procedures of users by qualified name, each with its overloads."""
    sequences: Mapping[str, SequenceFacts] = field(default_factory=dict)
    extensions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By name of the extension: what would go with it, in words ("column public.users.email")."""
    publications: Mapping[str, bool] = field(default_factory=dict)
    """Name -> whether it is FOR ALL TABLES."""
    queries: tuple[tuple[str, int], ...] = ()
    """From pg_stat_statements, when it is there: the text of statements on the asked tables and their calls."""
    schemas: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """For schemas that the input drops: everything in them, in words."""
    timezone: str | None = None
    """What a new session of this role has."""
    answers: Mapping[str, object] = field(default_factory=dict)
    """By the SQL of a `Question`: the value; a question that could not be answered in time is not here.
    {"error": sqlstate} when PostgreSQL refused it (a cast that a row does not survive)."""

    def function(self, name: str) -> tuple[FunctionFacts, ...]:
        """The overloads that `name` ("f" or "s.f") would resolve to."""
        spellings = [name, *(f"{schema}.{name}" for schema in self.search_path)]
        return next((self.functions[spelling] for spelling in spellings if spelling in self.functions), ())

    def type_of(self, name: str) -> TypeFacts | None:
        """The type of a user that `name` would resolve to."""
        spellings = [name, *(f"{schema}.{name}" for schema in self.search_path)]
        return next((self.types[spelling] for spelling in spellings if spelling in self.types), None)

    def sequence(self, name: str) -> SequenceFacts | None:
        spellings = [name, *(f"{schema}.{name}" for schema in self.search_path)]
        return next((self.sequences[spelling] for spelling in spellings if spelling in self.sequences), None)

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
