from django.apps import AppConfig


class MigrationsAppConfig(AppConfig):
    name = "migrations_app"
    default_auto_field = "django.db.models.BigAutoField"
