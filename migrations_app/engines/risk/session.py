"""What the input has done so far: relations made, renamed and dropped, columns, types, search_path, transactions.

A statement is never dangerous for what the same input made. `Session.apply` is called after the rules have looked.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from migrations_app.engines.risk import nearby
from migrations_app.engines.risk.facts import ColumnFacts, ConstraintFacts, Facts, TableFacts
from migrations_app.engines.risk.locking.lock_modes import Touch
from migrations_app.engines.risk.names import Node, bare
from migrations_app.engines.risk.statements import Statement
from migrations_app.engines.risk.transaction import Transaction

if TYPE_CHECKING:
    from migrations_app.engines.risk.revision_sql import RevisionSql


@dataclass(slots=True)
class Column:
    """A column as it is now. `origin` is its name in the catalog, None when the input made it."""

    name: str
    origin: str | None
    type: str | None = None
    not_null: bool | None = None
    has_values: bool | None = None
    is_filled: bool = False
    """The input made it with a default, so that the rows that were there got a value."""


@dataclass(slots=True)
class Relation:
    """A relation as it is now. `facts` are those of the catalog, None when the input made it or nothing is known."""

    name: str
    facts: TableFacts | None = None
    is_made: bool = False
    is_absent: bool = False
    """The catalog was asked and has no such relation."""
    is_view: bool = False
    reads: tuple[str, ...] = ()
    """For a view that the input made: the one relation that a write through it reaches."""
    is_filtered: bool = False
    ends_with_commit: bool = False
    """A temporary table that is dropped on commit."""
    partitions_rows: bool = False
    """The input made it, with PARTITION BY."""
    took_in: bool = False
    """The input made it, but an existing table became its partition or child: it holds old rows."""
    columns: dict[str, Column] = field(default_factory=dict)
    constraints: dict[str, ConstraintFacts | None] = field(default_factory=dict)
    """Those that the input added; a dropped one is None."""
    settled: dict[str, ConstraintFacts] = field(default_factory=dict)
    """Those that earlier revisions added."""

    @property
    def holds_nothing_old(self) -> bool:
        """Whether no row that existed before this input can be in it."""
        if self.is_made:
            return not self.took_in
        return self.is_absent or (self.facts is not None and self.facts.has_rows is False)

    @property
    def is_partitioned(self) -> bool:
        """Whether its rows are all in partitions."""
        return self.partitions_rows or (self.facts is not None and self.facts.kind == "partitioned")

    @property
    def is_existing(self) -> bool:
        """Whether others can use it, so that a lock on it is felt."""
        return not self.is_made and not self.is_absent

    def column(self, name: str) -> Column:
        """The column of this name; unknown to catalog and input alike, it is taken to exist with values."""
        if name not in self.columns:
            self.columns[name] = self._from_catalog(name)
        return self.columns[name]

    def _from_catalog(self, name: str) -> Column:
        if self.is_made or self.is_absent:
            return Column(name, None, has_values=self.took_in)
        if self.facts is None:
            return Column(name, name)
        known = self.facts.columns.get(name)
        if known is None:
            # A catalog that lists columns and not this one: PostgreSQL would refuse, nothing can be lost.
            return Column(name, name, has_values=False if self.facts.columns else None)
        has_values = False if self.facts.has_rows is False else known.has_values
        return Column(name, name, known.type, known.not_null, has_values)

    def constraint(self, name: str) -> ConstraintFacts | None:
        """The constraint of this name, from the input or the catalog."""
        return next((constraint for constraint in self.known_constraints() if constraint.name == name), None)

    def known_constraints(self) -> list[ConstraintFacts]:
        """All that are known to stand now."""
        older = {constraint.name: constraint for constraint in (self.facts.constraints if self.facts else ())}
        standing = older | self.settled | self.constraints
        return [constraint for constraint in standing.values() if constraint is not None]


class Session:
    """The state between two statements of one input."""

    def __init__(
        self, facts: Facts | None, *, server_version: int, is_transactional: bool, statements: Sequence[Statement]
    ) -> None:
        self.facts = facts
        self.server_version = server_version
        self._resolved: dict[str, str] = {}
        """The schema in which each name was last found; forgotten whenever that may have changed."""
        self.search_path = facts.search_path if facts else ("public",)
        self.relations: dict[str, Relation] = {}
        self.gone: set[str] = set()
        self.made: set[tuple[str, str]] = set()
        """Other things that the input made: ("type", "status"), ("schema", "s"), ("index", "ix")."""
        self.enums: dict[str, tuple[str, ...]] = {}
        self.functions: dict[str, Statement] = {}
        self.index_tables: dict[str, str] = {}
        self.indexes: dict[str, dict[str, Node | None]] = {}
        """By qualified name of the table: the CREATE INDEX of each that the input or an earlier revision made, None for
        one that it dropped."""
        self.upcoming: Iterable[RevisionSql] = ()
        """The revisions that come after this one."""
        self.prepared: set[str] = set()
        self.writes: dict[str, set[str]] = {}
        """By qualified name of a table: the columns that the input has changed; see `writes`."""
        self.has_unseen_writes = False
        """Whether something opaque ran, which may have changed any row."""
        self.settings: dict[str, str] = {}
        """What SET left behind, by name in lower case; see `setting`."""
        self.transaction = Transaction()
        self.touches: tuple[Touch, ...] = ()
        """The locks of the statement that the rules look at now, on existing tables."""
        self.swept: tuple[Statement, Any] | None = None
        """What `sweeps` found in the statement that the rules look at now."""
        self.is_revision = self.is_chunked = False
        self.is_resolved = False
        """A rehearsal has recorded what dynamic SQL really ran, so that it is no longer opaque."""
        self._savepoints: list[tuple[str, dict[str, object]]] = []
        self.begin(statements, is_transactional=is_transactional)

    @property
    def search_path(self) -> tuple[str, ...]:
        return self._search_path

    @search_path.setter
    def search_path(self, schemas: tuple[str, ...]) -> None:
        self._search_path = schemas
        self._resolved.clear()

    def begin(
        self, statements: Sequence[Statement], *, is_transactional: bool, outside: frozenset[int] = frozenset()
    ) -> None:
        """A new input, or the next revision of one. Rules may ask `statements` for what comes later.

        `outside` are the indexes of statements that the runner sends outside of the transaction.
        """
        self.outside = outside
        self.statements = statements if len(statements) <= nearby.WHOLE else nearby.Nearby(statements)
        self.in_transaction = self.is_callers_transaction = is_transactional
        self.transaction = Transaction()
        self.told: set[str] = set()
        """What needs to be said only once in an input."""
        self.worked_out: dict[str, Any] = {}
        """What a rule has found out about the whole input or catalog, so that it need not do so a second time."""
        # Copying the state is only worth it when the input holds a ROLLBACK at all.
        self._may_roll_back = any("rollback" in statement.sql[:12].lower() for statement in statements)

    def at(self, statement: Statement) -> None:
        """The next statement is this one. What runs outside of the transaction ends the one before it."""
        if isinstance(self.statements, nearby.Nearby):
            self.statements.at = statement.index
        if self.outside:
            self.in_transaction = statement.index not in self.outside
        if not self.in_transaction:
            self.transaction = Transaction()

    def past(self, statement: Statement, touches: Sequence[Touch]) -> None:
        """The statement has run: its locks stay until the transaction ends."""
        if self.in_transaction:
            for touch in touches:
                if touch.mode is not None:
                    key, relation = self.qualified(touch.name), self.relation(touch.name)
                    self.transaction.hold(key, relation, touch.mode, statement.index)

    def setting(self, name: str) -> str | None:
        """The value of a parameter as this input leaves it; None when the input says nothing of it.

        The time zone is known from the catalog as well.
        """
        local = self.transaction.settings.get(name)
        known = local if local is not None else self.settings.get(name)
        return known if known is not None or self.facts is None or name != "timezone" else self.facts.timezone

    def relation(self, name: str) -> Relation:
        """What PostgreSQL would resolve the name to at this point of the input."""
        key = self._resolved.get(name) or self.qualified(name)
        found = self.relations.get(key)
        if found is None:
            found = self.relations[key] = self._look_up(name, key)
        return found

    def qualified(self, name: str) -> str:
        """The name with the schema in which PostgreSQL would find it now."""
        known = self._resolved.get(name)
        if known is None:
            known = self._resolved[name] = name if "." in name else self._found_in_path(name)
        return known

    def _found_in_path(self, name: str) -> str:
        for schema in ("pg_temp", *self.search_path):
            key = f"{schema}.{name}"
            if key in self.relations or (self.facts is not None and key in self.facts.tables and key not in self.gone):
                return key
        return f"{self.search_path[0] if self.search_path else 'public'}.{name}"

    def _look_up(self, name: str, key: str) -> Relation:
        if key in self.gone:
            return Relation(name, is_absent=True)
        if self.facts is None:
            return Relation(name)
        found = self.facts.tables.get(key)
        if found is not None:
            return Relation(name, found, is_view=found.kind in ("view", "matview"))
        return Relation(name, is_absent=self._was_looked_for(name, key))

    def _was_looked_for(self, name: str, key: str) -> bool:
        """Whether the catalog was asked for just this relation: "users" means another one after SET search_path."""
        assert self.facts is not None
        asked = self.facts.asked
        return asked is None or key in asked or (name in asked and self.search_path == self.facts.search_path)

    def make(self, relation: Relation, *, is_temporary: bool = False) -> Relation:
        """Put a relation in place that the input creates."""
        schema, _, name = relation.name.rpartition(".")
        schema = "pg_temp" if is_temporary else schema or (self.search_path[0] if self.search_path else "public")
        self.relations[f"{schema}.{name}"] = relation
        self._resolved.clear()
        return relation

    def forget(self, name: str) -> None:
        """The relation is dropped: the name means nothing until something new takes it."""
        key = self.qualified(name)
        self.relations.pop(key, None)
        self.gone.add(key)
        self._resolved.clear()

    def rename(self, old: str, new: str) -> None:
        """`new` is a bare name, or a qualified one after SET SCHEMA."""
        relation, key = self.relation(old), self.qualified(old)
        self.forget(old)
        relation = copy.copy(relation)
        relation.name = new
        new_key = new if "." in new else f"{key.rpartition('.')[0]}.{new}"
        self.relations[new_key] = relation
        self._resolved.clear()
        if key in self.transaction.held:
            self.transaction.rename(key, new_key)

    def settle(self) -> None:
        """A new revision begins: what earlier ones made exists now and may have been filled, its types stay known."""
        self.relations = {key: each for key, each in self.relations.items() if not key.startswith("pg_temp.")}
        self._resolved.clear()
        for relation in self.relations.values():
            relation.is_made = False
            relation.settled = {constraint.name: constraint for constraint in relation.known_constraints()}
            relation.constraints = {}
            for column in relation.columns.values():
                column.origin = column.name
                column.has_values = None
        self.made.clear()

    def made_here(self, kind: str, name: str) -> bool:
        return (kind, bare(name)) in self.made

    def type_labels(self, type_name: str) -> tuple[str, ...] | None:
        """The labels of an enum type, from the input or the catalog."""
        if bare(type_name) in self.enums:
            return self.enums[bare(type_name)]
        return self.facts.enum_labels(type_name) if self.facts else None

    @property
    def knows_all(self) -> bool:
        """Whether the whole catalog was read, and not only the tables that the input names."""
        return self.facts is not None and self.facts.asked is None

    def tables_in(self, schema: str) -> list[str]:
        """The known tables of a schema, by qualified name."""
        inside = [key for key in self.relations if key.startswith(f"{schema}.")]
        catalog = self.facts.in_schema(schema) if self.facts else ()
        return list(dict.fromkeys([*inside, *(table.qualified for table in catalog)]))

    def tables_with_type(self, type_name: str) -> list[str]:
        """The known tables with a column of this type, by qualified name."""
        catalog = self.facts.tables.items() if self.facts else ()
        found = [key for key, table in catalog if any(bare(c.type) == bare(type_name) for c in table.columns.values())]
        made = [
            key
            for key, relation in self.relations.items()
            if any(column.type and bare(column.type) == bare(type_name) for column in relation.columns.values())
        ]
        return list(dict.fromkeys([*found, *made]))

    def index_table(self, index: str) -> Relation | None:
        """The table that carries the index, None when unknown."""
        if bare(index) in self.index_tables:
            return self.relation(self.index_tables[bare(index)])
        owner = self.facts.index_owner(bare(index)) if self.facts else None
        return self.relation(owner.qualified) if owner else None

    def save(self, name: str) -> None:
        """BEGIN or SAVEPOINT: remember the state for a ROLLBACK."""
        if self._may_roll_back:
            self._savepoints.append((name, {key: _copied(getattr(self, key)) for key in _ROLLED_BACK}))

    def restore(self, name: str) -> None:
        """ROLLBACK (empty name: to the first) or ROLLBACK TO a savepoint: what the input made since is not there."""
        if not name:
            self.transaction = Transaction()
        while self._savepoints:
            saved, state = self._savepoints.pop()
            if saved == name or (not name and not self._savepoints):
                for key, value in state.items():
                    setattr(self, key, value)
                self._resolved.clear()
                if name:
                    self.save(name)
                return

    def release(self) -> None:
        """COMMIT: what the input made stays, but for temporary tables that say otherwise."""
        self._savepoints.clear()
        self.transaction = Transaction()
        self.relations = {key: each for key, each in self.relations.items() if not each.ends_with_commit}
        self._resolved.clear()


_ROLLED_BACK = ("search_path", "settings", "relations", "gone", "made", "enums", "functions", "index_tables")


def _copied(state: Any) -> Any:
    if isinstance(state, dict):
        return {key: _copied(value) for key, value in state.items()}
    if isinstance(state, Relation):
        return replace(state, columns=_copied(state.columns), constraints=dict(state.constraints))
    return copy.copy(state)


def known_columns(relation: Relation) -> Mapping[str, ColumnFacts]:
    """The columns that the catalog lists; empty when unknown."""
    return relation.facts.columns if relation.facts else {}
