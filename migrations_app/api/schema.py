"""The OpenAPI 3.1 description: what all operations share is said once here, the rest beside each view."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from migrations_app.api.serializers.problems import Problem


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # its metaclass registers it
    target_class = "migrations_app.api.authentication.BearerToken"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:  # noqa: ARG002 - the library names the arguments
        return {"type": "http", "scheme": "bearer", "description": "A token from `manage.py token create`."}


class ApiSchema(AutoSchema):
    """Names from the view's class, parameters from its declarations, a problem for whatever goes wrong."""

    def get_operation_id(self) -> str:
        words = re.sub(r"[^a-z0-9]+", "_", self.path.removeprefix("/api/v1/")).strip("_")
        return f"{words}_{self.method.lower()}"

    def get_tags(self) -> list[str]:
        return [self.path.removeprefix("/api/v1/").split("/")[0]]

    def get_override_parameters(self) -> list[Any]:
        handler = getattr(self.view, self.method.lower())
        found = []
        if self.method == "GET":
            found = [
                OpenApiParameter(name, type=int if name in {"limit", "wait"} else str, description=text)
                for name, text in getattr(self.view, "parameters", {}).items()
            ]
        if hasattr(handler, "needs_key"):
            found.append(
                OpenApiParameter(
                    "Idempotency-Key",
                    location=OpenApiParameter.HEADER,
                    required=handler.needs_key,
                    description="Any text of at most 255 characters. Repeated with the same body: the first answer.",
                )
            )
        return found

    def get_response_serializers(self) -> Any:
        row = getattr(self.view, "row", None)
        if self.method != "GET" or row is None:
            return super().get_response_serializers()
        fields = {"results": row(many=True), "next": serializers.URLField(allow_null=True)}
        return inline_serializer(f"{row.__name__}Page", fields=fields)

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is not None:
            shape = self.resolve_serializer(Problem, "response").ref
            content = {"application/problem+json": {"schema": shape}}
            operation["responses"]["default"] = {"description": "What went wrong, and what to do", "content": content}
        return operation
