"""The audit: an append-only chain. Each entry's hash covers the one before; triggers refuse every change."""

from __future__ import annotations

from django.db import models

ZERO_HASH = "0" * 64


class AuditEvent(models.Model):
    """Who did what to which object, with which outcome. Written only by `lifecycle`, in the action's transaction."""

    seq = models.BigIntegerField(primary_key=True)
    at = models.DateTimeField()
    actor = models.CharField(max_length=150)
    actor_kind = models.CharField(max_length=10)
    via = models.CharField(max_length=20)
    action = models.CharField(max_length=60)
    object_type = models.CharField(max_length=40)
    object_id = models.CharField(max_length=100)
    outcome = models.CharField(max_length=10)  # done | denied
    request_id = models.CharField(max_length=64, blank=True, default="")
    digest = models.CharField(max_length=80, blank=True, default="")
    payload = models.JSONField(default=dict)
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["seq"]
        indexes = [models.Index(fields=["object_type", "object_id", "seq"], name="audit_by_object")]

    def __str__(self) -> str:
        return f"{self.seq} {self.action}"


class AuditHead(models.Model):
    """The newest entry. Its row lock orders the writers, so that the chain has no gap and no fork."""

    seq = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64, default=ZERO_HASH)
