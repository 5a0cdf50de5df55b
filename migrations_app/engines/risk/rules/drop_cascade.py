from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_RELATIONS = {pg.OBJECT_TABLE, pg.OBJECT_VIEW, pg.OBJECT_MATVIEW, pg.OBJECT_FOREIGN_TABLE}
_MADE = {
    pg.OBJECT_TYPE: "type",
    pg.OBJECT_DOMAIN: "type",
    pg.OBJECT_SEQUENCE: "sequence",
    pg.OBJECT_FUNCTION: "function",
    pg.OBJECT_PROCEDURE: "function",
    pg.OBJECT_INDEX: "index",
}


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if statement.node_name == "alter_table_stmt":
        yield from _of_subcommands(statement, session)
        return
    node = statement.node
    # A schema is a rule of its own: there everything inside goes, dependent or not.
    if node.behavior != pg.DROP_CASCADE or node.remove_type == pg.OBJECT_SCHEMA:
        return
    for item in node.objects:
        name = names.of_object(item)
        if node.remove_type in _RELATIONS:
            yield from _of_relation(name, session, f"{statement.kind} {name}")
        elif not session.made_here(_MADE.get(node.remove_type, ""), name):
            message = f"{statement.kind} {name} CASCADE also drops whatever depends on it"
            yield Hit(message, values={"name": names.quoted(name)})


def _of_relation(name: str, session: Session, what: str) -> Iterator[Hit]:
    relation = session.relation(name)
    if relation.is_made or relation.is_absent:
        return
    message = f"{what} CASCADE also drops whatever depends on it"
    values = {"name": names.quoted(name)}
    if relation.facts is None:
        yield Hit(message, name, why="Without a database to ask, what depends on it is not known.", values=values)
        return
    dependents = list(relation.facts.dependents)
    for child in relation.facts.referenced_by:
        if not any(named.startswith("foreign key ") and named.endswith(f" of {child}") for named in dependents):
            dependents.append(f"foreign key of {child}")
    if dependents:
        why = f"It would take with it: {', '.join(dependents)}."
        yield Hit(message, name, why=why, evidence={"dependents": dependents}, values=values)


def _of_subcommands(statement: Statement, session: Session) -> Iterator[Hit]:
    name = names.of_range(statement.node.relation)
    for item in statement.node.cmds:
        command = item.alter_table_cmd
        if command.behavior == pg.DROP_CASCADE and command.subtype in (pg.AT_DropColumn, pg.AT_DropConstraint):
            yield from _of_relation(name, session, f"Dropping {command.name} of {name} with")


RULE = Rule(
    id="drop-cascade",
    severity="danger",
    nodes=("drop_stmt", "AT_DropColumn", "AT_DropConstraint"),
    what="CASCADE drops objects that the statement does not name.",
    why="Views, foreign keys, defaults, triggers or whole columns of other tables can go with it, unseen.",
    safe_way="Leave CASCADE out: PostgreSQL then lists what depends on {name}. Drop each of those by name, knowingly.",
    check=check,
    destroys=True,
)
