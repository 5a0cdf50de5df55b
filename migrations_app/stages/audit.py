"""The audit, checked from its first entry to its head."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import transaction

from migrations_app import lifecycle
from migrations_app.engines import chain
from migrations_app.models import Actor, AuditEvent, AuditHead
from migrations_app.models.audit import ZERO_HASH


def verify(*, actor: Actor) -> chain.Verdict:
    """Recomputes the whole chain against one snapshot, so that entries written meanwhile do not disturb."""
    head = AuditHead.objects.get(pk=1)
    lifecycle.require(actor, "audit", head)
    with transaction.atomic():
        head = AuditHead.objects.select_for_update().get(pk=1)
        return chain.verify(_entries(), head_seq=head.seq, head_hash=head.hash, zero_hash=ZERO_HASH)


def _entries() -> Iterator[tuple[dict[str, Any], str, str]]:
    for event in AuditEvent.objects.order_by("seq").iterator(chunk_size=5_000):
        yield lifecycle.entry_of(event), event.prev_hash, event.hash
