"""`schema/` and `docs/`, and the answer to whatever else is asked below /api/."""

from __future__ import annotations

from typing import Any

from csp.constants import SELF, UNSAFE_INLINE
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.renderers import OpenApiJsonRenderer, OpenApiJsonRenderer2, OpenApiYamlRenderer2
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from migrations_app.api.problems import outside_drf
from migrations_app.errors import NotFound


class Description(SpectacularAPIView):
    """OpenAPI 3.1; JSON unless the client prefers YAML."""

    authentication_classes = []
    permission_classes = [AllowAny]
    renderer_classes = [OpenApiJsonRenderer2, OpenApiJsonRenderer, OpenApiYamlRenderer2]


@method_decorator(csp_update({"style-src": [SELF, UNSAFE_INLINE]}), name="dispatch")  # Swagger UI styles itself inline
class Docs(SpectacularSwaggerSplitView):
    authentication_classes = []
    permission_classes = [AllowAny]
    url_name = "api:schema"

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        answer: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]  # the library has no types here
        answer.data.pop("favicon_href", None)  # by default it comes from somebody else's server
        return answer


@csrf_exempt
def nowhere(request: HttpRequest, rest: str) -> HttpResponse:
    """An address below /api/ that does not exist is refused in the API's own shape, signed in or not."""
    hint = "" if rest.endswith("/") else " Every path of this API ends with a slash."
    return outside_drf(request, NotFound(f"Nothing has the address {request.path}.{hint}"))
