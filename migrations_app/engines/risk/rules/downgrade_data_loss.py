from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names, statements
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.revision_sql import RevisionSql
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement
from migrations_app.errors import TidegateError


def check(statement: Statement, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - every rule is called alike
    revision: RevisionSql = statement.node
    try:
        parsed = statements.parse(revision.downgrade or ())
    except TidegateError:
        return
    lost = [words for each in parsed for words in _destroyed(each)]
    if lost:
        message = f"downgrade() destroys {', '.join(lost[:5])}, with all that was written there in the meantime"
        function = revision.function("downgrade")
        yield Hit(message, evidence={"destroys": lost}, line=function.lineno if function else None)


def _destroyed(statement: Statement) -> Iterator[str]:
    node = statement.node
    if statement.node_name == "drop_stmt" and node.remove_type == pg.OBJECT_TABLE:
        yield from (f"the table {names.of_object(item)}" for item in node.objects)
    elif statement.node_name == "alter_table_stmt":
        table = names.of_range(node.relation)
        dropped = [item.alter_table_cmd for item in node.cmds if item.alter_table_cmd.subtype == pg.AT_DropColumn]
        yield from (f"the column {table}.{command.name}" for command in dropped)


RULE = Rule(
    id="downgrade-data-loss",
    severity="advice",
    nodes=("@revision",),
    what="The way back drops what the way there has made.",
    why="Right after the upgrade that is harmless. Days later it is not: by then the table or column holds what the"
    " new release has written, and nothing brings it back.",
    safe_way="Take it back only within minutes. Later, go forward: a new revision that mends; or copy the data first"
    " (CREATE TABLE kept AS SELECT ...).",
    check=check,
)
