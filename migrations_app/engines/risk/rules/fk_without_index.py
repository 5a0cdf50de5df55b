from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import foreign_keys, index_shapes, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for added in foreign_keys.added(statement, session):
        columns = added.key.columns
        if _is_known(added, session) and not _has_index(added, statement, session):
            listed = ", ".join(names.quoted(column) for column in columns)
            message = f"No index of {added.table} begins with {listed}, which references {added.key.parent}"
            yield Hit(message, added.table, columns[0], values={"columns": listed})


def _is_known(added: foreign_keys.AddedKey, session: Session) -> bool:
    """Whether an index on these columns would be known: by the catalog, or because their making was seen."""
    relation = session.relation(added.table)
    if added.made is not None or added.column is not None or relation.facts is not None:
        return True
    return all(name in relation.columns and relation.columns[name].type is not None for name in added.key.columns)


def _has_index(added: foreign_keys.AddedKey, statement: Statement, session: Session) -> bool:
    columns = added.key.columns
    keys = added.made.keys if added.made else ()
    if any(set(key[: len(columns)]) == set(columns) for key in keys):
        return True
    if any(shape.serves(columns) for shape in index_shapes.following(added.table, statement, session)):
        return True
    return added.made is None and any(
        shape.serves(columns) for shape in index_shapes.standing(added.table, statement, session)
    )


RULE = Rule(
    id="fk-without-index",
    severity="advice",
    nodes=foreign_keys.NODES,
    what="A foreign key stands on columns without an index.",
    why="Each DELETE, or change of a key, in the referenced table reads this whole table to see whether a row still"
    " points there, and joins along the key do, too.",
    safe_way="CREATE INDEX CONCURRENTLY ON {table} ({columns}), outside of a transaction (on a table made in the same"
    " revision: plain CREATE INDEX).",
    check=check,
)
