"""`targets/{slug}/rehearsals/` and `rehearsals/{id}/`: asked for, listed and watched."""

# ruff: noqa: ARG002 - DRF hands the request to every handler, whether it is needed or not
from __future__ import annotations

import time
from functools import partial
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from migrations_app.api import waiting
from migrations_app.api.door import ListDoor, WaitingDoor, find
from migrations_app.api.idempotency import once
from migrations_app.api.serializers.rehearsals import RehearsalIn, RehearsalOut, RehearsalRow
from migrations_app.api.waiting import Seen
from migrations_app.models import Rehearsal, Target
from migrations_app.models.status import REHEARSAL_FINAL
from migrations_app.stages import rehearse


class Rehearsals(ListDoor):
    """Newest first."""

    order = ("-pk",)
    row = RehearsalRow
    filters = {"status": "status"}

    def rows(self) -> QuerySet[Rehearsal]:
        target = find(Target.objects.all(), "target", slug=self.kwargs["slug"])
        return Rehearsal.objects.listed().filter(target=target)

    @extend_schema(request=RehearsalIn, responses={200: RehearsalOut, 202: RehearsalOut})
    @once
    def post(self, request: Request, slug: str) -> Response:
        """200: what was rehearsed already still holds. 202: watch it with GET and ?wait=."""
        target = find(Target.objects.select_related("project__bundle"), "target", slug=slug)
        given = self.read(RehearsalIn)
        wait_s, until = given.pop("wait"), time.monotonic()
        row = rehearse.ask(actor=self.actor, target=target, **given)
        until += wait_s
        seen = _look(row.pk)
        while not seen.is_final and (left_s := until - time.monotonic()) > 0:
            seen, before = waiting.changed(partial(_look, row.pk), seen, seen.etag, wait_s=left_s), seen
            if seen.etag == before.etag:
                break  # the time is over, or every seat is taken
        row.refresh_from_db()
        return self.moved(dict(RehearsalOut(row).data), "rehearsal", row.pk, is_final=row.is_final)


class RehearsalView(WaitingDoor):
    def look(self, pk: str) -> Seen:
        return _look(pk)

    def shown(self, pk: str) -> dict[str, Any]:
        return dict(RehearsalOut(find(Rehearsal.objects.select_related("target"), "rehearsal", pk=pk)).data)

    @extend_schema(responses={200: RehearsalOut, 304: None})
    def get(self, request: Request, pk: str) -> Response:
        return super().get(request, pk)


def _look(pk: str) -> Seen:
    row = find(Rehearsal.objects.only("status", "version"), "rehearsal", pk=pk)
    return Seen(f'"{pk}.{row.version}"', row.status in REHEARSAL_FINAL)
