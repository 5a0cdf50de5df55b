"""`targets/`, and looks at them."""

# ruff: noqa: ARG002 - DRF hands the request to every handler, whether it is needed or not
from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from migrations_app.api.door import Door, ListDoor, find
from migrations_app.api.idempotency import once_if_asked
from migrations_app.api.serializers.strict import Nothing
from migrations_app.api.serializers.targets import (
    Drift,
    Locks,
    Pending,
    ProbeOut,
    TargetChange,
    TargetIn,
    TargetOut,
    Volumetrics,
)
from migrations_app.errors import Invalid
from migrations_app.models import Target
from migrations_app.stages import examine, inventory


class Targets(ListDoor):
    order = ("slug", "pk")
    row = TargetOut
    filters = {"environment": "environment__name", "project": "project__slug", "schema_state": "schema_state"}
    parameters = {"label": "only those with this label, as name:value; may be repeated"}

    def rows(self) -> QuerySet[Target]:
        rows = Target.objects.listed()
        for text in self.request.query_params.getlist("label"):
            name, separator, value = text.partition(":")
            if not separator:
                raise Invalid.field("/label", "Write a label as name:value.")
            rows = rows.filter(labels__contains={name: value})
        return rows

    @extend_schema(request=TargetIn, responses={201: TargetOut})
    @once_if_asked
    def post(self, request: Request) -> Response:
        """The target is reached and recognised before it is kept."""
        row = inventory.create_target(actor=self.actor, **self.read(TargetIn))
        return self.created(TargetOut(row), "target", slug=row.slug)


class TargetView(Door):
    @extend_schema(responses=TargetOut)
    def get(self, request: Request, slug: str) -> Response:
        return Response(TargetOut(_found(slug)).data)

    @extend_schema(request=TargetChange, responses=TargetOut)
    def patch(self, request: Request, slug: str) -> Response:
        row = inventory.update_target(actor=self.actor, target=_found(slug), **self.read(TargetChange))
        return Response(TargetOut(row).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, slug: str) -> Response:
        """Forgets the target. Its database is not touched."""
        inventory.remove_target(actor=self.actor, target=_found(slug))
        return Response(status=204)


class Probe(Door):
    @extend_schema(request=Nothing, responses=ProbeOut)
    def post(self, request: Request, slug: str) -> Response:
        """Looks at the target and its replicas now. One that cannot be reached is an answer, no error."""
        self.read(Nothing)
        return Response(ProbeOut(inventory.probe(actor=self.actor, target=_found(slug))).data)


class PendingRevisions(Door):
    @extend_schema(responses=Pending(many=True))
    def get(self, request: Request, slug: str) -> Response:
        """What is not applied there, in order of execution, each with what it risks on this very target."""
        return Response(examine.pending(actor=self.actor, target=_found(slug)))


class VolumetricsView(Door):
    @extend_schema(responses=Volumetrics)
    def get(self, request: Request, slug: str) -> Response:
        """Its tables now, by the server's own statistics."""
        return Response(Volumetrics(examine.volumetrics(actor=self.actor, target=_found(slug))).data)


class DriftView(Door):
    @extend_schema(responses=Drift)
    def get(self, request: Request, slug: str) -> Response:
        """Whether somebody changed the schema since our last run."""
        return Response(Drift(examine.drift(actor=self.actor, target=_found(slug))).data)


class LocksView(Door):
    @extend_schema(responses=Locks)
    def get(self, request: Request, slug: str) -> Response:
        """Who waits there for whom, now."""
        return Response(Locks(examine.locks(actor=self.actor, target=_found(slug))).data)


def _found(slug: str) -> Target:
    return find(Target.objects.listed(), "target", slug=slug)
