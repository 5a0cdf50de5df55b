from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import revision_source
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.revision_sql import RevisionSql
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_READS = {"inspect", "reflect", "scalar", "scalars", "scalar_one", "fetchall", "fetchone", "mappings", "get_columns",
          "get_table_names", "get_indexes", "has_table"}  # fmt: skip


def check(statement: Statement, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - every rule is called alike
    revision: RevisionSql = statement.node
    upgrade = revision.function("upgrade")
    for name, call in revision_source.calls(upgrade) if upgrade else ():
        last = name.rpartition(".")[2]
        if last in _READS:
            message = f"upgrade() asks the database by {last}(), so its SQL cannot be written out beforehand"
            yield Hit(message, evidence={"call": name}, line=call.lineno)
            return


RULE = Rule(
    id="offline-impossible",
    severity="advice",
    nodes=("@revision",),
    what="The SQL of the revision cannot be rendered without a database.",
    why="`alembic upgrade --sql` fails on it or shows something else than runs, so nobody can read it before.",
    safe_way="Say the same in SQL: UPDATE ... FROM, INSERT ... SELECT, IF EXISTS. Otherwise rehearse it: a rehearsal on"
    " a copy of the schema records the statements that it really sends.",
    check=check,
)
