from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.revision_sql import RevisionSql
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_SHOWN = 5


def check(statement: Statement, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - every rule is called alike
    revision: RevisionSql = statement.node
    seen = revision.rehearsed
    if seen is None or seen.up_error is not None:
        return
    function = revision.function("downgrade")
    line = function.lineno if function else None
    if seen.differences:
        more = f", and {len(seen.differences) - _SHOWN} more" if len(seen.differences) > _SHOWN else ""
        message = f"After its downgrade the schema is not what it was before: {'; '.join(seen.differences[:_SHOWN])}"
        yield Hit(message + more, evidence={"differences": list(seen.differences)}, line=line)
    if seen.down_error is not None:
        yield Hit(f"Its downgrade fails: {seen.down_error}", evidence={"error": str(seen.down_error)}, line=line)
    if seen.again_error is not None:
        message = f"After its downgrade it cannot be upgraded again: {seen.again_error}"
        yield Hit(message, evidence={"error": str(seen.again_error)}, line=line)
    if seen.again_differences:
        message = "Upgraded a second time, it makes another schema than the first time: "
        message += "; ".join(seen.again_differences[:_SHOWN])
        yield Hit(message, evidence={"differences": list(seen.again_differences)}, line=line)


RULE = Rule(
    id="downgrade-mismatch",
    severity="hazard",
    nodes=("@rehearsal",),
    what="The rehearsal went up, down and up again, and the downgrade did not restore what was there.",
    why="The version table then says that the target is at the older revision while its schema is not: what comes next"
    " was never tried on such a schema.",
    safe_way="Correct downgrade() until the rehearsal finds no difference. Where there is no way back, let it raise an"
    " error that says so.",
    check=check,
)
