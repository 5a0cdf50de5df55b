from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.definitions import constraint_of
from migrations_app.engines.risk.facts import ConstraintFacts
from migrations_app.engines.risk.findings import Hit, Rule, Severity
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.rows import expressions
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement

_WORDS = {
    "primary": "primary key",
    "unique": "unique constraint",
    "foreign": "foreign key",
    "check": "check",
    "exclude": "exclusion constraint",
    "not_null": "NOT NULL",
}


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    name = names.of_range(statement.node.relation)
    relation = session.relation(name)
    if statement.node.objtype != pg.OBJECT_TABLE or not relation.is_existing:
        return
    for item in statement.node.cmds:
        command = item.alter_table_cmd
        if command.subtype != pg.AT_DropConstraint:
            continue
        added_here = command.name in relation.constraints
        known = relation.constraint(command.name)
        if added_here or _is_absent(relation, known) or _is_redundant(relation, known):
            continue
        what = _WORDS[known.kind] if known else "constraint"
        if known is not None and (other := _twin(relation, known)):
            message = f"The {what} {command.name} of {name} is dropped; {other.name} guarantees the same"
            yield Hit(message, name, severity="advice", values={"name": names.quoted(command.name)})
            continue
        evidence = {"definition": known.definition} if known and known.definition else {}
        values = {"name": names.quoted(command.name)}
        if replacement := _replacement(statement, session, name, command.name, known):
            # In the same ALTER there is no moment without it.
            severity: Severity = "advice" if replacement is statement else "hazard"
            message = f"The {what} {command.name} of {name} is dropped and made anew"
            yield Hit(message, name, evidence=evidence, severity=severity, values=values)
            continue
        message = f"The {what} {command.name} of {name} is dropped: what it guaranteed is no longer true"
        is_refused = command.behavior != pg.DROP_CASCADE and _is_referenced(relation, known, session)
        yield Hit(message, name, evidence=evidence, values=values, fails="2BP01" if is_refused else None)


def _twin(relation: Relation, known: ConstraintFacts) -> ConstraintFacts | None:
    """Another constraint that stands already and says the same. NOT VALID will do: the rows of today obey the old."""
    if known.kind not in ("foreign", "unique", "primary"):
        return None
    for other in relation.known_constraints():
        is_same = (other.kind, other.columns) == (known.kind, known.columns) and other.name != known.name
        if is_same and names.bare(other.references or "") == names.bare(known.references or ""):
            return other
    return None


def _is_referenced(relation: Relation, known: ConstraintFacts | None, session: Session) -> bool:
    """Whether a foreign key stands on it, so that PostgreSQL refuses."""
    if known is None or known.kind not in ("primary", "unique") or relation.facts is None:
        return False
    return any(
        set(key.referenced_columns) == set(known.columns)
        for child in (*relation.facts.referenced_by, relation.facts.qualified)
        for key in session.relation(child).known_constraints()
        if key.references is not None and session.relation(key.references) is relation
    )


def _is_absent(relation: Relation, known: ConstraintFacts | None) -> bool:
    """A catalog that lists the constraints and not this one: nothing is there to lose."""
    return known is None and relation.facts is not None and bool(relation.facts.constraints)


def _is_redundant(relation: Relation, known: ConstraintFacts | None) -> bool:
    """CHECK (column IS NOT NULL) beside NOT NULL, left over from a careful SET NOT NULL."""
    if known is None or known.kind != "check" or len(known.columns) != 1:
        return False
    return "is not null" in known.definition.lower() and relation.column(known.columns[0]).not_null is True


def _replacement(
    statement: Statement, session: Session, table: str, name: str, known: ConstraintFacts | None
) -> Statement | None:
    """What adds it again: under the same name, or one of the same kind over the same columns."""
    for later in session.statements[statement.index :]:
        if later.node_name != "alter_table_stmt" or names.of_range(later.node.relation) != table:
            continue
        for item in later.node.cmds:
            if item.alter_table_cmd.subtype == pg.AT_AddConstraint:
                added = constraint_of(getattr(item.alter_table_cmd, "def").constraint)
                columns = added.columns or _read_columns(getattr(item.alter_table_cmd, "def").constraint)
                if added.name == name or (known and (added.kind, set(columns)) == (known.kind, set(known.columns))):
                    return later
    return None


def _read_columns(definition: Node) -> tuple[str, ...]:
    """The columns that a CHECK looks at."""
    return tuple(expressions.columns_of(definition.raw_expr)) if definition.HasField("raw_expr") else ()


RULE = Rule(
    id="drop-constraint",
    severity="danger",
    nodes=("AT_DropConstraint",),
    what="An integrity guarantee is dropped.",
    why="From then on rows may break it, and it can only be added again once all rows obey."
    " Dropping a foreign key takes ACCESS EXCLUSIVE on both tables.",
    safe_way="Add the replacement in the same ALTER: ALTER TABLE {table} ADD CONSTRAINT {name}_new ... NOT VALID,"
    " DROP CONSTRAINT {name}; then ALTER TABLE {table} VALIDATE CONSTRAINT {name}_new in its own transaction.",
    check=check,
)
