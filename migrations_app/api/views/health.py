"""For load balancers and Prometheus: no token, and nothing secret."""

# ruff: noqa: ARG001 - Django hands the request to every handler, whether it is needed or not
from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from migrations_app.api import metrics
from migrations_app.stages import health


@require_safe
@never_cache
def livez(request: HttpRequest) -> HttpResponse:
    """The process answers. It asks nothing else: a dead database is no reason to restart it."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """200 when all is ready, else 503; either way each check with its reason."""
    checks = health.readiness()
    is_ready = all(check["ok"] for check in checks)
    body = {"status": "ready" if is_ready else "not_ready", "checks": checks}
    return JsonResponse(body, status=200 if is_ready else 503)


@require_safe
@never_cache
def prometheus(request: HttpRequest) -> HttpResponse:
    text, content_type = metrics.exposition()
    return HttpResponse(text, content_type=content_type)
