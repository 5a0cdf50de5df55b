"""Python that reads the rows of a table and changes them one by one: in effect a change of all of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from migrations_app.engines.risk import names, statements
from migrations_app.engines.risk.revision_sql import RevisionSql
from migrations_app.engines.risk.rows import extent, sweeps
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement
from migrations_app.errors import TidegateError

_NEARLY_ALL = 0.95
# What a rehearsal writes behind a statement that was sent once for many rows of values.
_MORE = re.compile(r"/\* and (\d+) more rows of values \*/")


@dataclass(slots=True)
class Loop:
    """`keys` are those of the rows that were changed, `columns` what they lost; a DELETE takes all of a row."""

    relation: Relation
    columns: tuple[str, ...]
    keys: set[object] = field(default_factory=set)
    more: int = 0
    """Rows whose values the rehearsal only counted."""

    @property
    def changed(self) -> int:
        return len(self.keys) + self.more


def over_all_rows(revision: RevisionSql, session: Session, node_name: str) -> Iterator[Loop]:
    """The loops that a rehearsal saw come to every row of a table whose rows the revision reads."""
    found: dict[tuple[str, tuple[str, ...]], Loop] = {}
    for statement in _sent(revision, node_name):
        relation = session.relation(names.of_range(statement.node.relation))
        lost = _lost(statement, relation)
        key = extent.single_key(statement.node.where_clause, relation)
        if relation.facts is None or key is None or (node_name == "update_stmt" and not lost):
            continue
        if relation.facts.qualified in revision.rehearsed.read_tables if revision.rehearsed else False:
            loop = found.setdefault((relation.facts.qualified, lost), Loop(relation, lost))
            loop.keys.add(key)
            counted = _MORE.search(statement.sql)
            loop.more += int(counted[1]) if counted else 0
    for loop in found.values():
        rows = loop.relation.facts.rows if loop.relation.facts else None
        if rows and loop.changed >= max(2, _NEARLY_ALL * rows):
            yield loop


def _sent(revision: RevisionSql, node_name: str) -> Iterator[Statement]:
    word = node_name.partition("_")[0]
    for sent in revision.rehearsed.up if revision.rehearsed else ():
        if not sent.dynamic and sent.sql.lstrip()[:6].lower() == word:
            try:
                yield from (each for each in statements.parse(sent.sql) if each.node_name == node_name)
            except TidegateError:
                continue


def _lost(statement: Statement, relation: Relation) -> tuple[str, ...]:
    if statement.node_name == "delete_stmt":
        return ()
    node = statement.node
    alias = node.relation.alias.aliasname or node.relation.relname
    assigned = (item.res_target for item in node.target_list)
    return tuple(each.name for each in assigned if sweeps.overwrites(each, relation, alias))
