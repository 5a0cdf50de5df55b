"""`waivers/`: made, looked at and revoked. There is no way to change or delete one."""

# ruff: noqa: ARG002 - DRF hands the request to every handler, whether it is needed or not
from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from migrations_app.api.door import Door, ListDoor, find
from migrations_app.api.idempotency import once_if_asked
from migrations_app.api.serializers.waivers import RevocationIn, WaiverIn, WaiverOut
from migrations_app.errors import Invalid
from migrations_app.models import Waiver
from migrations_app.models.waivers import STATES
from migrations_app.stages import waive


class Waivers(ListDoor):
    """Newest first."""

    order = ("-pk",)
    row = WaiverOut
    filters = {
        "project": "project__slug",
        "environment": "environment__name",
        "revision": "revision",
        "rule": "rule",
        "subject": "subject",
        "created_by": "created_by__username",
    }
    parameters = {"state": "active | expired | revoked"}

    def rows(self) -> QuerySet[Waiver]:
        state = self.request.query_params.get("state")
        if state is not None and state not in STATES:
            raise Invalid.field("/state", f"A waiver is one of {', '.join(STATES)}.")
        rows = Waiver.objects.listed()
        return rows.in_state(state) if state else rows

    @extend_schema(request=WaiverIn, responses={201: WaiverOut})
    @once_if_asked
    def post(self, request: Request) -> Response:
        """For plans made from now on, never for the caller's own. A machine's token is refused."""
        given = self.read(WaiverIn)
        subject, finding = given.pop("of"), given.pop("subject", "")
        row = waive.waive(actor=self.actor, user=self.user, subject=subject, finding=finding, **given)
        return self.created(WaiverOut(row), "waiver", pk=row.pk)


class WaiverView(Door):
    @extend_schema(responses=WaiverOut)
    def get(self, request: Request, pk: str) -> Response:
        return Response(WaiverOut(_found(pk)).data)


class WaiverRevoke(Door):
    @extend_schema(request=RevocationIn, responses=WaiverOut)
    @once_if_asked
    def post(self, request: Request, pk: str) -> Response:
        """Rollouts that stand on it go stale before their next statement."""
        row = waive.revoke(actor=self.actor, user=self.user, waiver=_found(pk), **self.read(RevocationIn))
        return Response(WaiverOut(row).data)


def _found(pk: str) -> Waiver:
    return find(Waiver.objects.listed(), "waiver", pk=pk)
