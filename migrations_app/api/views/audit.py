"""`audit/`: who did what, and whether the record is whole."""

# ruff: noqa: ARG002 - DRF hands the request to every handler, whether it is needed or not
from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from migrations_app.api.door import Door, ListDoor
from migrations_app.api.serializers.audit import AuditEntry, ChainVerdict
from migrations_app.api.serializers.strict import Nothing
from migrations_app.models import AuditEvent
from migrations_app.stages import audit


class Audit(ListDoor):
    """Newest first."""

    verb = "audit"
    order = ("-pk",)
    row = AuditEntry
    filters = {name: name for name in ("actor", "action", "object_type", "object_id", "outcome", "request_id")}

    def rows(self) -> QuerySet[AuditEvent]:
        return AuditEvent.objects.all()


class AuditVerify(Door):
    verb = "audit"

    @extend_schema(request=Nothing, responses=ChainVerdict)
    def post(self, request: Request) -> Response:
        """Computes the whole chain again. Writers wait for that long."""
        self.read(Nothing)
        return Response(ChainVerdict(audit.verify(actor=self.actor)).data)
