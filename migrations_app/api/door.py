"""What the views share: who calls, strict input, filtered lists, and answers that a client may wait for."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeVar, cast

from django.db.models import Model, QuerySet
from django.urls import reverse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from migrations_app.api import pagination, waiting
from migrations_app.api.permissions import HasRole, actor_of
from migrations_app.api.schema import ApiSchema
from migrations_app.errors import FieldError, Invalid, NotFound
from migrations_app.models import Actor, User

Row = TypeVar("Row", bound=Model)


class Door(APIView):
    """A view of the API: a caller with a role, only parameters that it knows, and answers that no cache keeps."""

    permission_classes = [HasRole]
    schema = ApiSchema()
    verb: ClassVar[str] = "read"
    parameters: ClassVar[Mapping[str, str]] = {}  # those of the query, each with what it means
    takes_archive: ClassVar[bool] = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        unknown = set(request.query_params) - set(self.parameters)
        if unknown:
            # A misspelled filter that is ignored would answer with everything.
            raise Invalid(
                "There is no such parameter here.",
                errors=[FieldError(f"/{name}", "There is no parameter of this name.") for name in sorted(unknown)],
            )
        if "\0" in request.path or any("\0" in text for text in request.query_params.values()):
            raise NotFound("No name has a NUL character in it.")  # PostgreSQL cannot even be asked
        if not self.takes_archive:
            _parsed(request)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response.headers.setdefault("Cache-Control", "private, no-cache")
        return super().finalize_response(request, response, *args, **kwargs)

    @property
    def actor(self) -> Actor:
        return actor_of(self.request)

    @property
    def user(self) -> User:
        return cast(User, self.request.user)

    def read(self, shape: type[Serializer[Any]], *, partial: bool = False) -> dict[str, Any]:
        """The body's fields, those left out left out. Raises ValidationError with every wrong one."""
        serializer = shape(data=self.request.data, partial=partial)
        serializer.is_valid(raise_exception=True)
        return dict(serializer.validated_data)

    def created(self, answer: Serializer[Any] | dict[str, Any], route: str, **names: str) -> Response:
        """201, and where the new thing is."""
        body = answer if isinstance(answer, dict) else answer.data
        return Response(body, status=201, headers={"Location": self.url(route, **names)})

    def moved(self, body: dict[str, Any], route: str, pk: str, *, is_final: bool) -> Response:
        """200 when that was all; 202 when it goes on by itself, and where to watch it."""
        return Response(body, status=200 if is_final else 202, headers={"Location": self.url(route, pk=pk)})

    def links(self, route: str, pk: str, names: Iterable[str]) -> dict[str, str]:
        own = self.url(route, pk=pk)
        return {"self": own, **{name: f"{own}{name}/" for name in names}}

    def url(self, route: str, **names: str) -> str:
        return self.request.build_absolute_uri(reverse(f"api:{route}", kwargs=names))


class ListDoor(Door):
    """A list: `rows()` in `order`, narrowed by `filters` (parameter -> lookup), a page at a time."""

    order: ClassVar[tuple[str, ...]]
    row: ClassVar[type[Serializer[Any]]]
    filters: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        paging = {"limit": f"rows a page, at most {pagination.MAX_LIMIT}", "cursor": "from `next` of the page before"}
        cls.parameters = {**{name: f"only those with this {name}" for name in cls.filters}, **cls.parameters, **paging}

    @abstractmethod
    def rows(self) -> QuerySet[Any]:
        """All that the caller may see."""

    def get(self, request: Request, **_names: str) -> Response:
        rows, following = pagination.page(self.filtered(), self.order, request)
        return Response({"results": self.row(rows, many=True).data, "next": following})

    def filtered(self) -> QuerySet[Any]:
        given = self.request.query_params
        return self.rows().filter(**{lookup: given[name] for name, lookup in self.filters.items() if name in given})


class WaitingDoor(Door):
    """One row that changes while it is looked at: ETag, 304, and `?wait=`."""

    parameters = {"wait": f"seconds to wait for a change of state, at most {waiting.LONGEST_S}"}

    @abstractmethod
    def look(self, pk: str) -> waiting.Seen:
        """Cheap: asked four times a second."""

    @abstractmethod
    def shown(self, pk: str) -> dict[str, Any]:
        """The whole answer."""

    def get(self, request: Request, pk: str) -> Response:
        seen = waiting.settled(request, lambda: self.look(pk))
        if seen.etag == waiting.known_etag(request):
            return Response(status=304, headers={"ETag": seen.etag})
        return Response(self.shown(pk), headers={"ETag": seen.etag})


def _parsed(request: Request) -> None:
    """Reads the body at once, so that it is refused before anything is done for it."""
    _ = request._request.body  # DRF's parsers read the stream, past Django's limit on the size of a body
    try:
        _ = request.data
    except RecursionError:
        raise Invalid("The body is nested too deeply.", code="malformed") from None


def find(queryset: QuerySet[Row], what: str, **lookup: Any) -> Row:
    """The one row, or NotFound in words."""
    row = queryset.filter(**lookup).first()
    if row is None:
        raise NotFound(f"There is no {what} {next(iter(lookup.values()))}, or it is not yours to see.")
    return row
