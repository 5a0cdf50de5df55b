from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement

_DEPTH = 8
_DOES = {"c": "deletes rows of", "n": "sets to NULL the key of", "d": "sets to its default the key of"}


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    name = names.of_range(node.relation)
    if not node.relation.schemaname and name in statement.ctes:
        return
    relation = session.relation(name)
    if relation.facts is None or not relation.is_existing or relation.holds_nothing_old:
        return
    found = dict.fromkeys(_carried(relation, session, ()))
    if not found:
        return
    tables = {child: session.relation(child) for _, child in found}
    rows = {child: other.facts.rows for child, other in tables.items() if other.facts and other.facts.rows is not None}
    what = [f"{_DOES[action]} {child}" for action, child in found]
    holds_rows = any(not other.holds_nothing_old for other in tables.values())
    message = f"Deleting rows of {name} also {', '.join(what)}"
    why = ", ".join(f"{table} holds about {count:,} rows" for table, count in rows.items())
    yield Hit(
        message,
        name,
        why=f"{why}." if why else "",
        evidence={"also": what, "rows": rows},
        severity=None if holds_rows else "advice",
        values={"name": names.quoted(next(iter(tables)))},
    )


def _carried(relation: Relation, session: Session, above: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """What a deleted row takes along: by which action, in which table; and what goes there takes along its own."""
    if relation.facts is None or len(above) >= _DEPTH:
        return
    for child in dict.fromkeys((*relation.facts.referenced_by, relation.facts.qualified)):
        other = session.relation(child)
        for key in other.known_constraints():
            if key.on_delete not in _DOES or key.references is None or session.relation(key.references) is not relation:
                continue
            yield key.on_delete, child
            if key.on_delete == "c" and child not in above and other is not relation:
                yield from _carried(other, session, (*above, child))


RULE = Rule(
    id="delete-cascades",
    severity="hazard",
    nodes=("delete_stmt",),
    what="A DELETE reaches rows of other tables by foreign keys with ON DELETE CASCADE, SET NULL or SET DEFAULT.",
    why="Those rows are not named in the statement, they may be far more than the deleted ones, and without an index on"
    " the foreign key each deleted row scans the other table.",
    safe_way="Count first: SELECT count(*) FROM {name} WHERE its key is IN (SELECT ... FROM {table} WHERE ...). Delete"
    " those rows knowingly, in batches by key, before the rows of {table}.",
    check=check,
)
