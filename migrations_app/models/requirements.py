"""Whether the backfills that a revision stands on are done on a target."""

from __future__ import annotations

from collections.abc import Sequence

import psycopg

from migrations_app.engines import history
from migrations_app.engines.backfill import declared
from migrations_app.errors import Unprocessable
from migrations_app.models.backfills import Backfill
from migrations_app.models.revisions import Bundle, Revision
from migrations_app.models.targets import Target


def require_backfills(
    conn: psycopg.Connection,
    target: Target,
    current: tuple[str, ...],
    revisions: Sequence[Revision],
    bundle: Bundle,
) -> None:
    """Refuses a contract revision while a backfill that it stands on is neither in this plan nor done on the target."""
    coming = {row.revision for row in revisions}
    applied = history.applied(bundle.parents(), current)
    for row in revisions:
        for needed in (row.requires or {}).get("backfills", []):
            if needed in coming:
                continue
            before = bundle.revisions.filter(revision=needed).first()
            if before is None or needed not in applied or not _is_backfilled(conn, target, before):
                raise Unprocessable(
                    f"{target}: revision {row.revision} ({row.message}) requires the backfill of {needed}, which is "
                    "not finished there. Run that backfill first, then propose this again.",
                    code="backfill_missing",
                )


def _is_backfilled(conn: psycopg.Connection, target: Target, before: Revision) -> bool:
    """By our own record, or by the target itself: no row is left that the declared WHERE finds."""
    if Backfill.objects.filter(target=target, status="verified", step__revision__revision=before.revision).exists():
        return True
    if not before.backfill:
        return False
    return declared.matches_nothing(conn, declared.from_literal(before.backfill, where_found=before.path))
