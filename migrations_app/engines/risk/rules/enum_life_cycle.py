from __future__ import annotations

from collections.abc import Iterator, Sequence

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names, statements
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.revision_sql import RevisionSql
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement
from migrations_app.errors import TidegateError


def check(statement: Statement, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - every rule is called alike
    revision: RevisionSql = statement.node
    if not revision.downgrade:
        return
    made = [names.of_strings(each.node.type_name) for each in _parsed(revision.sql, "create_enum_stmt")]
    if not made:
        return
    dropped = {
        names.bare(names.of_object(item))
        for each in _parsed(revision.downgrade, "drop_stmt")
        if each.node.remove_type in (pg.OBJECT_TYPE, pg.OBJECT_SCHEMA)
        for item in each.node.objects
    }
    for name in made:
        if names.bare(name) not in dropped:
            message = f"downgrade() leaves the enum type {name} behind"
            function = revision.function("downgrade")
            values = {"name": names.quoted(name), "bare": names.bare(name)}
            yield Hit(message, evidence={"type": name}, values=values, line=function.lineno if function else None)


def _parsed(sql: Sequence[str], node_name: str) -> Iterator[Statement]:
    try:
        yield from (each for each in statements.parse(sql) if each.node_name == node_name)
    except TidegateError:
        return


RULE = Rule(
    id="enum-life-cycle",
    severity="hazard",
    nodes=("@revision",),
    what="op.drop_table does not drop the enum types of its columns.",
    why="The type stays, and the next upgrade fails because it exists already (SQLSTATE 42710).",
    safe_way="At the end of downgrade(): op.execute('DROP TYPE {name}').",
    check=check,
)
