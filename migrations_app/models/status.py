"""Every status, and every move between two of them with who causes it. A move that is not listed cannot happen.

Only `lifecycle.advance` makes a move. docs/reference/statuses.md is drawn from these tables.
"""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import TextChoices

Edges = Mapping[tuple[str, str], str]


class RevisionStatus(TextChoices):
    DISCOVERED = "discovered"
    ANALYSED = "analysed"


REVISION_EDGES: Edges = {
    ("discovered", "analysed"): "Tidegate has read its SQL, or knows that it cannot",
}


class RolloutStatus(TextChoices):
    PLANNING = "planning"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    STALE = "stale"


ROLLOUT_EDGES: Edges = {
    ("planning", "awaiting_approval"): "the plan holds something dangerous",
    ("planning", "approved"): "nothing in the plan needs a person",
    ("planning", "failed"): "the plan could not be made",
    ("planning", "cancelled"): "its author, or an operator",
    ("awaiting_approval", "approved"): "the last approval that the policy asks for",
    ("awaiting_approval", "rejected"): "an approver",
    ("awaiting_approval", "cancelled"): "its author, or an operator",
    ("awaiting_approval", "stale"): "the target, the bundle or the policy has changed since the plan",
    ("approved", "scheduled"): "an operator started it, and it may not run before a later time",
    ("approved", "running"): "an operator",
    ("approved", "rejected"): "an approver who thought again before it started",
    ("approved", "cancelled"): "its author, or an operator",
    ("approved", "stale"): "something that was approved has changed, or the approval expired",
    ("scheduled", "running"): "the clock",
    ("scheduled", "cancelled"): "its author, or an operator",
    ("scheduled", "stale"): "something that was approved has changed, or the approval expired",
    ("running", "paused"): "an operator; the step in progress ended first",
    ("running", "succeeded"): "the last step was verified",
    ("running", "failed"): "more targets failed than the failure budget allows",
    ("running", "cancelled"): "an operator; what had run stays, what had not never will",
    ("running", "stale"): "under the target's lock something differed from what was approved",
    ("paused", "running"): "an operator",
    ("paused", "cancelled"): "an operator",
    ("paused", "stale"): "something that was approved has changed",
    ("failed", "running"): "an operator retries what had failed",
}
ROLLOUT_FINAL = frozenset({"succeeded", "failed", "cancelled", "rejected", "stale"})


class StepStatus(TextChoices):
    PLANNED = "planned"
    APPROVED = "approved"
    RUNNING = "running"
    EXECUTED = "executed"
    VERIFIED = "verified"
    FAILED = "failed"
    INCONSISTENT = "inconsistent"
    CANCELLED = "cancelled"


STEP_EDGES: Edges = {
    ("planned", "approved"): "its rollout was approved",
    ("planned", "cancelled"): "its rollout ended before it was approved",
    ("approved", "running"): "a worker, holding the lease and the target's lock",
    ("approved", "executed"): "the version table shows it applied: a worker died before it could say so",
    ("approved", "cancelled"): "its rollout was cancelled, or went stale",
    ("running", "executed"): "the target's version table shows it applied",
    ("running", "approved"): "the run ended without it, and the target shows nothing of it",
    ("running", "failed"): "the target, Alembic or the backfill refused",
    ("running", "cancelled"): "an operator; its transaction was rolled back",
    ("executed", "verified"): "the catalog was looked at afterwards",
    ("executed", "inconsistent"): "it says that it is done, and the catalog says otherwise",
    ("failed", "approved"): "an operator retries",
    ("failed", "cancelled"): "its rollout was cancelled",
    ("inconsistent", "executed"): "an operator has repaired it; the catalog is looked at again",
}
STEP_FINAL = frozenset({"verified", "cancelled"})
STEP_BROKEN = frozenset({"failed", "inconsistent"})


class BackfillStatus(TextChoices):
    DECLARED = "declared"
    AWAITING_APPROVAL = "awaiting_approval"
    APPROVED = "approved"
    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    VERIFYING = "verifying"
    VERIFIED = "verified"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    STALE = "stale"


BACKFILL_EDGES: Edges = {
    ("declared", "awaiting_approval"): "it overwrites values that are there",
    ("declared", "approved"): "it only fills what is empty, or its rollout was approved",
    ("awaiting_approval", "approved"): "an approver",
    ("awaiting_approval", "rejected"): "an approver",
    ("awaiting_approval", "cancelled"): "its author, or an operator",
    ("approved", "running"): "an operator, or its rollout reaching it",
    ("approved", "cancelled"): "its author, or an operator",
    ("approved", "stale"): "the table or the approval has changed since",
    ("running", "pausing"): "an operator",
    ("running", "cancelling"): "an operator",
    ("running", "verifying"): "the last range was done",
    ("running", "paused"): "the target refused in a way that only a person can mend",
    ("running", "failed"): "an error that a retry does not mend",
    ("running", "stale"): "the table has changed since it was approved",
    ("pausing", "paused"): "the chunk in progress was committed",
    ("pausing", "verifying"): "that chunk was the last one",
    ("pausing", "cancelling"): "an operator",
    ("pausing", "failed"): "an error that a retry does not mend",
    ("paused", "running"): "an operator",
    ("paused", "cancelled"): "an operator",
    ("cancelling", "cancelled"): "the chunk in progress was committed; what is done stays done",
    ("verifying", "verified"): "no row is left",
    ("verifying", "failed"): "rows are left",
    ("verifying", "cancelled"): "an operator",
    ("failed", "running"): "an operator retries; it goes on where it stood",
    ("failed", "cancelled"): "an operator",
}
BACKFILL_FINAL = frozenset({"verified", "failed", "cancelled", "rejected", "stale"})
BACKFILL_ACTIVE = frozenset({"running", "pausing", "cancelling", "verifying"})


class RehearsalStatus(TextChoices):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


REHEARSAL_EDGES: Edges = {
    ("waiting", "running"): "a worker, holding the lease",
    ("running", "waiting"): "the target or the scratch server could not be used just now; it is tried again",
    ("running", "done"): "every revision was tried, and what happened is kept",
    ("running", "failed"): "no copy could be made, the project did not start, or the schema had changed meanwhile",
}
REHEARSAL_FINAL = frozenset({"done", "failed"})


class SchemaState(TextChoices):
    """What the target's version table says beside its project's history. An observation, not a lifecycle."""

    AT_HEAD = "at_head"
    BEHIND = "behind"
    AHEAD = "ahead"
    UNKNOWN_REVISION = "unknown_revision"
    DRIFTED = "drifted"
    UNVERSIONED = "unversioned"
    UNREACHABLE = "unreachable"
