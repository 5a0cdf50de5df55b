"""Where the doors are. Each door's own urls module says the rest."""

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from migrations_app.api.problems import outside_drf
from migrations_app.web import failures

urlpatterns = [
    path("accounts/", include("allauth.account.urls")),
    path("", include("migrations_app.api.urls")),
    path("", include("migrations_app.web.urls")),
]

handler403 = failures.forbidden
handler404 = failures.not_found


def handler500(request: HttpRequest) -> HttpResponse:
    """What fails outside of every view: in the shape of the door that was knocked at."""
    return outside_drf(request) if request.path.startswith("/api/") else failures.broken(request)
