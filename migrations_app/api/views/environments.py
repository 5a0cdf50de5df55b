"""`environments/`"""

# ruff: noqa: ARG002 - DRF hands the request to every handler, whether it is needed or not
from __future__ import annotations

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from migrations_app.api.door import Door, ListDoor, find
from migrations_app.api.idempotency import once_if_asked
from migrations_app.api.serializers.environments import EnvironmentChange, EnvironmentIn, EnvironmentOut
from migrations_app.models import Environment
from migrations_app.stages import inventory


class Environments(ListDoor):
    order = ("order", "name", "pk")
    row = EnvironmentOut

    def rows(self) -> QuerySet[Environment]:
        return Environment.objects.all()

    @extend_schema(request=EnvironmentIn, responses={201: EnvironmentOut})
    @once_if_asked
    def post(self, request: Request) -> Response:
        row = inventory.create_environment(actor=self.actor, **self.read(EnvironmentIn))
        return self.created(EnvironmentOut(row), "environment", name=row.name)


class EnvironmentView(Door):
    @extend_schema(responses=EnvironmentOut)
    def get(self, request: Request, name: str) -> Response:
        return Response(EnvironmentOut(_found(name)).data)

    @extend_schema(request=EnvironmentChange, responses=EnvironmentOut)
    def patch(self, request: Request, name: str) -> Response:
        """Parts of the policy that are left out stay as they are."""
        row = inventory.update_environment(actor=self.actor, environment=_found(name), **self.read(EnvironmentChange))
        return Response(EnvironmentOut(row).data)


def _found(name: str) -> Environment:
    return find(Environment.objects.all(), "environment", name=name)
