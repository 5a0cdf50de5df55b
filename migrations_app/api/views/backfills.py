"""`backfills/`: declared, decided, steered and watched."""

# ruff: noqa: ARG002 - DRF hands the request to every handler, whether it is needed or not
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.db.models import Count, QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from migrations_app.api.door import Door, ListDoor, WaitingDoor, find
from migrations_app.api.idempotency import once, once_if_asked
from migrations_app.api.serializers.backfills import Adjustment, BackfillIn, BackfillOut, BackfillRow, SampleOut
from migrations_app.api.serializers.decisions import DecisionIn, RejectionIn, approvals_of
from migrations_app.api.serializers.strict import Nothing
from migrations_app.api.waiting import Seen
from migrations_app.models import Backfill
from migrations_app.models.status import BACKFILL_FINAL
from migrations_app.stages import approve, backfill

MOVES: Mapping[str, Callable[..., Backfill]] = {
    "start": backfill.start,
    "pause": backfill.pause,
    "resume": backfill.resume,
    "cancel": backfill.cancel,
}


class BackfillDoor(Door):
    def found(self, pk: str) -> Backfill:
        return find(_rows().select_related("target__environment"), "backfill", pk=pk)

    def shape(self, row: Backfill) -> dict[str, Any]:
        """The whole answer: the row, and what the caller may decide."""
        context = {
            "approvals": approvals_of(row, approve.may_decide(actor=self.actor, subject=row)),
            "links": self.links("backfill", row.pk, ("samples", "approve", "reject", *MOVES)),
        }
        return dict(BackfillOut(row, context=context).data)


class Backfills(ListDoor, BackfillDoor):
    order = ("-pk",)
    row = BackfillRow
    filters = {
        "status": "status",
        "target": "target__slug",
        "author": "author__username",
        "rollout": "step__plan__rollout",
    }

    def rows(self) -> QuerySet[Backfill]:
        return _rows()

    @extend_schema(request=BackfillIn, responses={201: BackfillOut})
    @once
    def post(self, request: Request) -> Response:
        """The definition is checked on the target itself before it is kept."""
        given = self.read(BackfillIn)
        purpose = given.pop("reason")
        row = backfill.declare(actor=self.actor, author=self.user, purpose=purpose, **given)
        return self.created(self.shape(row), "backfill", pk=row.pk)


class BackfillView(WaitingDoor, BackfillDoor):
    def look(self, pk: str) -> Seen:
        """An approval that is not yet the last one is news as well."""
        rows = Backfill.objects.annotate(given=Count("approvals")).order_by()
        found = rows.filter(pk=pk).values_list("status", "version", "given").first()
        status, *numbers = found or (self.found(pk).status,)
        versions = ".".join(str(number) for number in numbers)
        return Seen(f'"{pk}.{versions}.{self.user.pk}"', status in BACKFILL_FINAL)

    def shown(self, pk: str) -> dict[str, Any]:
        return self.shape(self.found(pk))

    @extend_schema(responses={200: BackfillOut, 304: None})
    def get(self, request: Request, pk: str) -> Response:
        return super().get(request, pk)

    @extend_schema(request=Adjustment, responses=BackfillOut)
    def patch(self, request: Request, pk: str) -> Response:
        """Changes its limits, also while it runs: the next chunk obeys."""
        row = backfill.adjust(actor=self.actor, backfill=self.found(pk), **self.read(Adjustment))
        return Response(self.shape(row))


class BackfillSamples(BackfillDoor):
    @extend_schema(responses=SampleOut(many=True))
    def get(self, request: Request, pk: str) -> Response:
        """Points for its charts, oldest first; at most some 2,000."""
        return Response(SampleOut(self.found(pk).samples.order_by("id"), many=True).data)


class BackfillApprove(BackfillDoor):
    @extend_schema(request=DecisionIn, responses=BackfillOut)
    @once_if_asked
    def post(self, request: Request, pk: str) -> Response:
        """Approving does not run it."""
        row = approve.approve(actor=self.actor, user=self.user, subject=self.found(pk), **self.read(DecisionIn))
        return Response(self.shape(row))


class BackfillReject(BackfillDoor):
    @extend_schema(request=RejectionIn, responses=BackfillOut)
    @once_if_asked
    def post(self, request: Request, pk: str) -> Response:
        row = approve.reject(actor=self.actor, user=self.user, subject=self.found(pk), **self.read(RejectionIn))
        return Response(self.shape(row))


class BackfillMove(BackfillDoor):
    """start, pause, resume or cancel, by `move`."""

    move: ClassVar[str] = "start"

    @extend_schema(request=Nothing, responses={200: BackfillOut, 202: BackfillOut})
    @once
    def post(self, request: Request, pk: str) -> Response:
        """202: it goes on by itself; watch it with GET and ?wait=."""
        self.read(Nothing)
        row = MOVES[self.move](actor=self.actor, backfill=self.found(pk))
        return self.moved(self.shape(row), "backfill", row.pk, is_final=row.is_final)


def _rows() -> QuerySet[Backfill]:
    rows: QuerySet[Backfill] = Backfill.objects.listed().select_related("step__plan")
    return rows
