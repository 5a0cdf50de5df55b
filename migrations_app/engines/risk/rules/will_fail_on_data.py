from __future__ import annotations

from collections.abc import Callable, Iterator

from migrations_app.engines.risk import burden
from migrations_app.engines.risk.facts import Question
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.rows import constraint_trials, value_trials
from migrations_app.engines.risk.rows.trials import Trial
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_OF_NODE: dict[str, tuple[Callable[[Statement, Session], Iterator[Trial | None]], ...]] = {
    "alter_table_stmt": (constraint_trials.of_alter, value_trials.of_type, value_trials.of_partition),
    "index_stmt": (constraint_trials.of_index,),
    "alter_domain_stmt": (constraint_trials.of_domain,),
    "create_stmt": (value_trials.of_partition,),
}
_INVALID = "CONCURRENTLY it fails at its end and leaves an INVALID index behind, which every write has to maintain."


def ask(statement: Statement, session: Session) -> Iterator[Question | None]:
    return (trial.question for trial in _trials(statement, session))


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    # Before what a transaction forbids the rows do not come into it.
    is_refused = statement.node_name == "index_stmt" and statement.node.concurrent and session.in_transaction
    for trial in () if is_refused else _trials(statement, session):
        state = trial.verdict(session)
        if state is not None:
            is_concurrent = statement.node_name == "index_stmt" and statement.node.concurrent
            why = _INVALID if is_concurrent else ""
            yield burden.hit(
                trial.table,
                trial.relation,
                f"PostgreSQL will refuse this: {trial.message}",
                trial.column,
                why=why,
                known={"sqlstate": state},
                fails=state,
                values={"look": f"Look at the rows: {trial.look} " if trial.look else ""},
            )


def _trials(statement: Statement, session: Session) -> Iterator[Trial]:
    if session.facts is None:
        return
    for find in _OF_NODE[statement.node_name]:
        yield from (trial for trial in find(statement, session) if trial is not None)


RULE = Rule(
    id="will-fail-on-data",
    severity="hazard",
    nodes=(
        "AT_SetNotNull",
        "AT_AddConstraint",
        "AT_ValidateConstraint",
        "AT_AlterColumnType",
        "AT_AttachPartition",
        "index_stmt",
        "alter_domain_stmt",
        "create_stmt",
    ),
    what="Rows of the target break what the statement demands of them.",
    why="It fails after it has locked the table and read up to the first such row, and the deployment with it.",
    safe_way="{look}Mend the rows by a chunked backfill, in a plan of its own; then run this.",
    check=check,
    ask=ask,
)
