from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import dependents, drops, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement

_RELATIONS = {pg.OBJECT_TABLE, pg.OBJECT_VIEW, pg.OBJECT_MATVIEW, pg.OBJECT_FOREIGN_TABLE}
# A schema is a rule of its own: there everything inside goes, dependent or not. On the others nothing can stand.
_NOT_HERE = {pg.OBJECT_SCHEMA, pg.OBJECT_TRIGGER, pg.OBJECT_POLICY, pg.OBJECT_RULE, pg.OBJECT_PUBLICATION}
_MADE = {
    **dict.fromkeys(drops.TYPES, "type"),
    **dict.fromkeys(drops.ROUTINES, "function"),
    pg.OBJECT_SEQUENCE: "sequence",
    pg.OBJECT_INDEX: "index",
    pg.OBJECT_EXTENSION: "extension",
}


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if statement.node_name == "alter_table_stmt":
        yield from _of_subcommands(statement, session)
        return
    node = statement.node
    if node.behavior != pg.DROP_CASCADE or node.remove_type in _NOT_HERE:
        return
    for item in node.objects:
        name = names.of_object(item)
        if node.remove_type in _RELATIONS:
            relation = session.relation(name)
            yield from _of_relation(
                name, relation, f"{statement.kind} {name}", dependents.of_relation(relation, statement, session)
            )
        elif not session.made_here(_MADE.get(node.remove_type, ""), name):
            yield from _of_object(name, item, statement, session)


def _of_relation(name: str, relation: Relation, what: str, standing: Iterable[str]) -> Iterator[Hit]:
    if not relation.is_existing:
        return
    message = f"{what} CASCADE also drops whatever depends on it"
    values = {"name": names.quoted(name)}
    found = list(dict.fromkeys(standing))
    if relation.facts is None:
        yield Hit(message, name, why="Without a database to ask, what depends on it is not known.", values=values)
    elif found:
        why = f"It would take with it: {', '.join(found)}."
        yield Hit(message, name, why=why, evidence={"dependents": found}, values=values)


def _of_object(name: str, item: Node, statement: Statement, session: Session) -> Iterator[Hit]:
    message = f"{statement.kind} {name} CASCADE also drops whatever depends on it"
    values = {"name": names.quoted(name)}
    known = _KNOWN.get(statement.node.remove_type)
    if session.facts is None or known is None:
        yield Hit(message, values=values)
        return
    found = list(known(name, item, statement, session))
    if found:
        why = f"It would take with it: {', '.join(found)}."
        yield Hit(message, why=why, evidence={"dependents": found}, values=values)


def _on_type(name: str, _item: Node, statement: Statement, session: Session) -> Iterable[str]:
    uses = drops.type_uses(name, statement, session)
    return uses.all if uses else ()


def _on_routine(_name: str, item: Node, _statement: Statement, session: Session) -> Iterable[str]:
    return [words for each in drops.routines(item, session) or () for words in each.dependents]


def _on_extension(name: str, _item: Node, _statement: Statement, session: Session) -> Iterable[str]:
    return session.facts.extensions.get(name, ()) if session.facts else ()


def _on_sequence(name: str, _item: Node, _statement: Statement, session: Session) -> Iterable[str]:
    known = session.facts.sequence(name) if session.facts else None
    return [f"default of {column}" for column in known.used_by] if known else ()


def _on_index(name: str, _item: Node, _statement: Statement, session: Session) -> Iterable[str]:
    """A foreign key may stand on a unique index that is no constraint."""
    owner = session.index_table(name)
    index = (
        next((i for i in owner.facts.indexes if i.name == names.bare(name)), None) if owner and owner.facts else None
    )
    return _keys_to(owner, index.columns, session) if owner and index and index.unique else ()


_KNOWN: dict[int, Callable[[str, Node, Statement, Session], Iterable[str]]] = {
    **dict.fromkeys(drops.TYPES, _on_type),
    **dict.fromkeys(drops.ROUTINES, _on_routine),
    pg.OBJECT_EXTENSION: _on_extension,
    pg.OBJECT_SEQUENCE: _on_sequence,
    pg.OBJECT_INDEX: _on_index,
}


def _keys_to(relation: Relation, columns: tuple[str, ...], session: Session) -> list[str]:
    """The foreign keys that reference just these columns."""
    children = relation.facts.referenced_by if relation.facts else ()
    return [
        f"foreign key {key.name} of {child}"
        for child in (*children, relation.name)
        for key in session.relation(child).known_constraints()
        if key.references and session.relation(key.references) is relation
        if not key.referenced_columns or set(key.referenced_columns) == set(columns)
    ]


def _of_subcommands(statement: Statement, session: Session) -> Iterator[Hit]:
    name = names.of_range(statement.node.relation)
    relation = session.relation(name)
    for item in statement.node.cmds:
        command = item.alter_table_cmd
        if command.behavior != pg.DROP_CASCADE:
            continue
        what = f"Dropping {command.name} of {name} with"
        if command.subtype == pg.AT_DropColumn:
            yield from _of_relation(name, relation, what, dependents.of_column(relation, command.name))
        elif command.subtype == pg.AT_DropConstraint:
            key = relation.constraint(command.name)
            keys = _keys_to(relation, key.columns, session) if key and key.kind in ("primary", "unique") else ()
            yield from _of_relation(name, relation, what, keys)


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
