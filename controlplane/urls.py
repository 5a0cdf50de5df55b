"""Where the doors are. Each door's own urls module says the rest."""

from django.urls import include, path

urlpatterns = [
    path("accounts/", include("allauth.account.urls")),
    path("", include("migrations_app.api.urls")),
    path("", include("migrations_app.web.urls")),
]
