"""What most rows share: sortable ids, the status with its reason, and the lease that says who works on a row."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from migrations_app.models.status import Edges


def new_id(prefix: str) -> str:
    """A UUIDv7 (RFC 9562: 48 bits of milliseconds, then random) in hex behind a type prefix: sorts by age."""
    milliseconds = time.time_ns() // 1_000_000
    bits = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    bits = bits & ~(0xF << 76) | (7 << 76)
    bits = bits & ~(0x3 << 62) | (2 << 62)
    return f"{prefix}_{bits:032x}"


class StatusRow(models.Model):
    """A row with a lifecycle. `status` is written by `lifecycle.advance` alone."""

    EDGES: ClassVar[Edges]

    status = models.CharField(max_length=20)
    reason = models.TextField(blank=True, default="", help_text="why the row is in this status, in words")
    status_at = models.DateTimeField(db_default=Now())
    version = models.PositiveBigIntegerField(default=1, help_text="grows with each visible change; the ETag")

    class Meta:
        abstract = True


class LeaseQuerySet(models.QuerySet[Any]):
    """Leases run by the database's clock, so a worker whose own clock is wrong cannot keep or steal a row."""

    def claim(self, pk: str, *, owner: str, lease_s: int, **conditions: Any) -> int | None:
        """Takes the row when nobody's lease on it is live. Returns the new epoch, or None when somebody was first.

        Conditions (and filters before it) must be on the row's own columns: a join becomes a subquery, which
        PostgreSQL does not look at again after waiting for the row, and two workers would both win.
        """
        free = Q(lease_until__isnull=True) | Q(lease_until__lt=Now())
        taken = self.filter(free, pk=pk, **conditions).update(
            lease_owner=owner, lease_until=Now() + timedelta(seconds=lease_s), epoch=F("epoch") + 1
        )
        if not taken:
            return None
        return int(self.model._base_manager.values_list("epoch", flat=True).get(pk=pk))

    def renew(self, pk: str, *, owner: str, epoch: int, lease_s: int) -> bool:
        """Prolongs the lease. False: it ran out and somebody else took the row; stop at once."""
        until = Now() + timedelta(seconds=lease_s)
        return bool(self.filter(pk=pk, lease_owner=owner, epoch=epoch).update(lease_until=until))

    def release(self, pk: str, *, owner: str, epoch: int) -> bool:
        """Gives the row back at once. False when it was no longer ours."""
        return bool(self.filter(pk=pk, lease_owner=owner, epoch=epoch).update(lease_owner="", lease_until=None))

    def unleased(self) -> Self:
        """Rows on which nobody works now."""
        return self.filter(Q(lease_until__isnull=True) | Q(lease_until__lt=Now()))


class LeasedRow(models.Model):
    """A row that one worker at a time works on. `epoch` rises with each owner and fences the one before."""

    lease_owner = models.CharField(max_length=200, blank=True, default="")
    lease_until = models.DateTimeField(null=True, blank=True)
    epoch = models.PositiveBigIntegerField(default=0)

    class Meta:
        abstract = True
