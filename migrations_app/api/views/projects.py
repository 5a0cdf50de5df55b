"""`projects/`, their bundles and revisions."""

# ruff: noqa: ARG002 - DRF hands the request to every handler, whether it is needed or not
from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.request import Request
from rest_framework.response import Response

from migrations_app.api.door import Door, ListDoor, find
from migrations_app.api.idempotency import once, once_if_asked
from migrations_app.api.serializers.projects import BundleOut, ProjectChange, ProjectIn, ProjectOut, RevisionOut
from migrations_app.api.serializers.strict import Nothing
from migrations_app.errors import TooLarge
from migrations_app.models import Project, Revision
from migrations_app.stages import discover

LARGEST_ARCHIVE = 32 * 1024 * 1024  # bytes, compressed


class Archive(BaseParser):
    """The tar.gz as bytes. It is read here because Django's own limit is meant for JSON."""

    media_type = "application/gzip"

    def parse(  # type: ignore[override]  # bytes are data as well; our handlers know them
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> bytes:
        data = stream.read(LARGEST_ARCHIVE + 1)
        if len(data) > LARGEST_ARCHIVE:
            raise TooLarge(f"The archive is larger than {LARGEST_ARCHIVE // 1024**2} MiB: leave out what no run needs.")
        return data


class OctetStream(Archive):
    media_type = "application/octet-stream"


class Projects(ListDoor):
    order = ("slug", "pk")
    row = ProjectOut

    def rows(self) -> QuerySet[Project]:
        return Project.objects.select_related("bundle").defer("bundle__archive")

    @extend_schema(request=ProjectIn, responses={201: ProjectOut})
    @once_if_asked
    def post(self, request: Request) -> Response:
        """The project's history is read at once; nothing is kept when its environment does not load."""
        given = self.read(ProjectIn)
        row = discover.create_project(actor=self.actor, **{"name": given["slug"], **given})
        return self.created(ProjectOut(row), "project", slug=row.slug)


class ProjectView(Door):
    @extend_schema(responses=ProjectOut)
    def get(self, request: Request, slug: str) -> Response:
        return Response(ProjectOut(_found(slug)).data)

    @extend_schema(request=ProjectChange, responses=ProjectOut)
    def patch(self, request: Request, slug: str) -> Response:
        row = discover.update_project(actor=self.actor, project=_found(slug), **self.read(ProjectChange))
        return Response(ProjectOut(row).data)


class Bundles(Door):
    takes_archive = True
    parser_classes = [Archive, OctetStream, JSONParser]

    @extend_schema(
        request={"application/gzip": OpenApiTypes.BINARY, "application/json": Nothing},
        responses={200: BundleOut, 201: BundleOut},
    )
    @once
    def post(self, request: Request, slug: str) -> Response:
        """A tar.gz of the project's files, or no body: then the source is read again. 200: known already."""
        archive = request.data if isinstance(request.data, bytes) else None
        if archive is None:
            self.read(Nothing)
        bundle, is_new = discover.sync(actor=self.actor, project=_found(slug), archive=archive)
        if is_new:
            return self.created(BundleOut(bundle), "project", slug=slug)
        return Response(BundleOut(bundle).data)


class Revisions(ListDoor):
    order = ("position", "pk")
    row = RevisionOut

    def rows(self) -> QuerySet[Revision]:
        return Revision.objects.filter(bundle=_found(self.kwargs["slug"]).bundle_id)


class RevisionView(Door):
    @extend_schema(responses=RevisionOut)
    def get(self, request: Request, slug: str, revision: str) -> Response:
        rows = Revision.objects.filter(bundle=_found(slug).bundle_id)
        return Response(RevisionOut(find(rows, "revision", revision=revision)).data)


def _found(slug: str) -> Project:
    return find(Project.objects.select_related("bundle").defer("bundle__archive"), "project", slug=slug)
