"""`targets/{slug}/rehearsals/` and `rehearsals/{id}/`: asked for, listed and watched."""

# ruff: noqa: ARG002 - DRF hands the request to every handler, whether it is needed or not
from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

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
        row = rehearse.ask(actor=self.actor, target=target, **self.read(RehearsalIn))
        return self.moved(dict(RehearsalOut(row).data), "rehearsal", row.pk, is_final=row.is_final)


class RehearsalView(WaitingDoor):
    def look(self, pk: str) -> Seen:
        rows = Rehearsal.objects.values_list("status", "version")
        status, version = rows.filter(pk=pk).first() or (self._found(pk).status, 0)
        return Seen(f'"{pk}.{version}"', status in REHEARSAL_FINAL)

    def shown(self, pk: str) -> dict[str, Any]:
        return dict(RehearsalOut(self._found(pk)).data)

    @extend_schema(responses={200: RehearsalOut, 304: None})
    def get(self, request: Request, pk: str) -> Response:
        return super().get(request, pk)

    def _found(self, pk: str) -> Rehearsal:
        row: Rehearsal = find(Rehearsal.objects.select_related("target"), "rehearsal", pk=pk)
        return row
