from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_ENDS = {
    pg.TRANS_STMT_BEGIN: "BEGIN",
    pg.TRANS_STMT_START: "START TRANSACTION",
    pg.TRANS_STMT_COMMIT: "COMMIT",
    pg.TRANS_STMT_ROLLBACK: "ROLLBACK",
    pg.TRANS_STMT_PREPARE: "PREPARE TRANSACTION",
}


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    word = _ENDS.get(statement.node.kind)
    if word is None or not session.is_callers_transaction or statement.index in session.outside:
        return
    # Inside of a function or a DO block PostgreSQL allows it only where no transaction is open around it.
    fails = "2D000" if statement.inside else None
    message = f"{word} interferes with the transaction that the revision already runs in"
    yield Hit(message, evidence={"statement": word}, fails=fails)


RULE = Rule(
    id="transaction-control",
    severity="hazard",
    nodes=("transaction_stmt",),
    what="SQL inside a revision begins or ends a transaction.",
    why="Alembic's own transaction is over from there on: when a later statement fails, what came before stays, and the"
    " version table may not say so.",
    safe_way="Leave it out. What must run outside of the transaction goes into op.get_context().autocommit_block(), in"
    " a revision of its own.",
    check=check,
)
