from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import bridges, dependents, mentions, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement

_OWN = {pg.OBJECT_TRIGGER: "trigger", pg.OBJECT_POLICY: "policy", pg.OBJECT_RULE: "rule"}
_BLOCKS_TYPE = ("view ", "materialized view ", "generated column ", "policy ", "trigger ", "rule ", "function ",
                "publication ", "procedure ")  # fmt: skip
"""What stands in the way of another type; indexes and constraints are built anew. [measured on 15 and 18]"""


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if session.facts is None:
        return
    node = statement.node
    if statement.node_name == "drop_stmt":
        for item in node.objects:
            yield from _dropped(names.of_object(item), statement, session)
    elif statement.node_name == "alter_table_stmt":
        if node.objtype in (pg.OBJECT_TABLE, pg.OBJECT_FOREIGN_TABLE):
            yield from _altered(statement, session)
    else:
        yield from _renamed(statement, session)


def _dropped(name: str, statement: Statement, session: Session) -> Iterator[Hit]:
    relation = session.relation(name)
    if not relation.is_existing or relation.facts is None:
        return
    if statement.node.behavior != pg.DROP_CASCADE:
        found = list(dict.fromkeys(dependents.of_relation(relation, statement, session)))
        if found := [words for words in found if not _is_dropped(words, statement, session)]:
            yield _refused(f"{name} cannot be dropped", name, None, found, "2BP01")
    yield from (
        hit
        for hit in _broken(relation, name, None, "is dropped", session)
        if not _comes_again(name, statement, session)
    )


def _altered(statement: Statement, session: Session) -> Iterator[Hit]:
    name = names.of_range(statement.node.relation)
    relation = session.relation(name)
    if not relation.is_existing or relation.facts is None:
        return
    dropped_before: set[str] = set()
    for item in statement.node.cmds:
        command = item.alter_table_cmd
        if command.subtype not in (pg.AT_DropColumn, pg.AT_AlterColumnType):
            continue
        told = [
            words
            for words in dict.fromkeys(dependents.of_column(relation, command.name))
            if dependents.is_there(words, session)
            if words not in dropped_before and not _is_dropped(words, statement, session)
        ]
        if command.subtype == pg.AT_DropColumn:
            dropped_before.add(f"generated column {relation.facts.qualified}.{command.name}")
            if told and command.behavior != pg.DROP_CASCADE:
                yield _refused(f"{name}.{command.name} cannot be dropped", name, command.name, told, "2BP01")
            yield from _goes_along(relation, name, command.name, statement)
            yield from _broken(relation, name, command.name, "is dropped", session)
        elif told := [words for words in told if words.startswith(_BLOCKS_TYPE)]:
            yield _refused(f"{name}.{command.name} cannot change its type", name, command.name, told, "0A000")


def _renamed(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    name = names.of_range(node.relation)
    relation = session.relation(name)
    if not relation.is_existing or relation.facts is None:
        return
    if statement.node_name == "rename_stmt" and node.rename_type == pg.OBJECT_COLUMN:
        if not bridges.hides_column(name, node.subname, statement, session):
            yield from _broken(relation, name, node.subname, "gets another name", session)
    elif bridges.view_named(session.qualified(name), statement, session) is None:
        yield from _broken(relation, name, None, "gets another name", session)


def _broken(relation: Relation, name: str, column: str | None, how: str, session: Session) -> Iterator[Hit]:
    """What PostgreSQL lets pass, and what fails at its next call."""
    origin = relation.column(column).origin if column else None
    if relation.facts is None or (column and origin is None):
        return
    if found := mentions.functions(relation.facts, origin, session):
        what = f"{name}.{column}" if column else name
        message = f"{what} {how}, and {_listed(found, 'function')} will fail at the next call"
        yield Hit(message, name, column, evidence={"functions": found}, values={"name": names.quoted(found[0])})


def _goes_along(relation: Relation, name: str, column: str, statement: Statement) -> Iterator[Hit]:
    """Guarantees over this column and others, which PostgreSQL drops with it in silence. [measured on 15 and 18]"""
    if relation.column(column).origin is None or relation.facts is None:
        return
    dropped = {
        item.alter_table_cmd.name for item in statement.node.cmds if item.alter_table_cmd.subtype == pg.AT_DropColumn
    }
    constraints = relation.known_constraints()
    keys = [(key.name, key.columns) for key in constraints if key.kind in ("primary", "unique", "exclude")]
    carrying = {key.index for key in constraints}
    keys += [(i.name, i.columns) for i in relation.facts.indexes if i.unique and i.name not in carrying]
    for lost, columns in keys:
        if column in columns and not set(columns) <= dropped:
            message = f"Dropping {name}.{column} also drops {lost}, which keeps ({', '.join(columns)}) unique"
            kept = ", ".join(names.quoted(each) for each in columns if each not in dropped)
            safe_way = f"CREATE UNIQUE INDEX CONCURRENTLY ON {{table}} ({kept}) first, if these are to stay unique."
            yield Hit(message, name, column, evidence={"lost": lost, "columns": list(columns)}, safe_way=safe_way)


def _refused(message: str, name: str, column: str | None, found: list[str], sqlstate: str) -> Hit:
    message = f"{message}: {', '.join(found)} {'stands' if len(found) == 1 else 'stand'} on it"
    safe_way = f"Drop {', '.join(found)} by name before, in the same transaction, and make anew what is still needed."
    safe_way = safe_way.replace("{", "{{").replace("}", "}}")
    return Hit(message, name, column, evidence={"dependents": found}, safe_way=safe_way, fails=sqlstate)


def _listed(found: list[str], what: str) -> str:
    return f"the {what}{'s' if len(found) > 1 else ''} {', '.join(found)}"


def _is_dropped(words: str, statement: Statement, session: Session) -> bool:
    """Whether the input has dropped the trigger, policy, rule or generated column that these words speak of."""
    if words.startswith("generated column "):
        table, _, column = words.removeprefix("generated column ").rpartition(".")
        return session.relation(table).column(column).origin is None
    kind, _, rest = words.partition(" ")
    own, _, table = rest.rpartition(" of ")
    for each in session.statements[: max(statement.index, 0)]:
        if each.node_name == "drop_stmt" and _OWN.get(each.node.remove_type) == kind:
            for item in each.node.objects:
                owner, _, name = names.of_object(item).rpartition(".")
                if name == own and session.qualified(owner) == table:
                    return True
    return False


def _comes_again(name: str, statement: Statement, session: Session) -> bool:
    """Whether the input makes a relation of the same name afterwards."""
    bare = names.bare(name)
    for later in session.statements[statement.index + 1 :]:
        node = later.node
        if later.node_name == "create_stmt" and node.relation.relname == bare:
            return True
        if later.node_name in ("view_stmt", "create_table_as_stmt"):
            made = node.view if later.node_name == "view_stmt" else node.into.rel
            if made.relname == bare:
                return True
        if later.node_name == "rename_stmt" and node.newname == bare:
            return True
    return False


RULE = Rule(
    id="dependent-objects",
    severity="hazard",
    nodes=(
        "AT_DropColumn", "AT_AlterColumnType", "alter_object_schema_stmt", "rename_stmt/OBJECT_COLUMN",
        *(f"{node}/OBJECT_{kind}" for node in ("drop_stmt", "rename_stmt") for kind in ("TABLE", "VIEW", "MATVIEW")),
    ),
    what="Views, policies, triggers, generated columns or functions use what is dropped, renamed or changed.",
    why="PostgreSQL refuses to drop or to change what a view, a policy, a trigger's condition or a generated column"
    " stands on. Of bodies of functions it keeps no dependencies: they break later, at their next call.",
    safe_way="CREATE OR REPLACE FUNCTION {name} with a body that no longer needs it, in the same transaction or before;"
    " then the change of {table}.",
    check=check,
)  # fmt: skip
