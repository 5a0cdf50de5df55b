"""What we remember: rows, constraints and querysets; no effects."""

from migrations_app.models.access import Actor, ApiToken, IdempotencyRecord, User
from migrations_app.models.approvals import Approval
from migrations_app.models.audit import AuditEvent, AuditHead
from migrations_app.models.backfills import Backfill, Sample
from migrations_app.models.rehearsals import Rehearsal
from migrations_app.models.revisions import Bundle, Project, Revision
from migrations_app.models.rollouts import LogLine, Rollout, Step, TargetPlan
from migrations_app.models.targets import Environment, Replica, Target
from migrations_app.models.waivers import Waiver

__all__ = [
    "Actor",
    "ApiToken",
    "Approval",
    "AuditEvent",
    "AuditHead",
    "Backfill",
    "Bundle",
    "Environment",
    "IdempotencyRecord",
    "LogLine",
    "Project",
    "Rehearsal",
    "Replica",
    "Revision",
    "Rollout",
    "Sample",
    "Step",
    "Target",
    "TargetPlan",
    "User",
    "Waiver",
]
