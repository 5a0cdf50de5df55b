"""Everything comes from the environment (docs/reference/settings.md); each name may also be given as <NAME>_FILE.

All missing or wrong values are reported at once, at start, by name.
"""

from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

from controlplane.logs import logging_config

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.FileAwareEnv()

_missing = [n for n in ("TIDEGATE_DATABASE_URL", "TIDEGATE_SECRET_KEY", "TIDEGATE_KEYS") if not env.str(n, default="")]
if _missing:
    raise ImproperlyConfigured(
        f"Set {', '.join(_missing)} (or the same names with _FILE). `make demo` sets all of them for a trial; "
        "docs/reference/settings.md says what each is."
    )

DEBUG = env.bool("TIDEGATE_DEBUG", default=False)
SECRET_KEY = env.str("TIDEGATE_SECRET_KEY")
ALLOWED_HOSTS = env.list("TIDEGATE_ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
_LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]", "testserver"}
if DEBUG and not set(ALLOWED_HOSTS) <= _LOCAL_HOSTS:
    raise ImproperlyConfigured("TIDEGATE_DEBUG=true shows internals to anybody: it is allowed for local hosts only.")

# --- Tidegate's own -------------------------------------------------------------------------------------------------
TIDEGATE_KEYS = env.str("TIDEGATE_KEYS")  # "k2:<base64>,k1:<base64>": the first seals, all of them open
TIDEGATE_BASE_URL = env.str("TIDEGATE_BASE_URL", default="http://127.0.0.1:8000").rstrip("/")
TIDEGATE_STATE_DIR = Path(env.str("TIDEGATE_STATE_DIR", default=str(Path.home() / ".local/state/tidegate")))
NOT_GIVEN = ""
TIDEGATE_SCRATCH_URL = env.str("TIDEGATE_SCRATCH_URL", default=NOT_GIVEN)  # where rehearsals make their databases
TIDEGATE_LEASE_S = env.int("TIDEGATE_LEASE_S", default=30)
TIDEGATE_TICK_S = env.int("TIDEGATE_TICK_S", default=5)
TIDEGATE_SLICE_S = env.int("TIDEGATE_SLICE_S", default=5)
TIDEGATE_RUN_WALL_S = env.int("TIDEGATE_RUN_WALL_S", default=6 * 3600)

# --- Django ---------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.humanize",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django_htmx",
    "allauth",
    "allauth.account",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "migrations_app",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "migrations_app.web.middleware.RequestId",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "migrations_app.web.middleware.TheirZone",
    "migrations_app.web.middleware.TellErrors",
]
ROOT_URLCONF = "controlplane.urls"
WSGI_APPLICATION = "controlplane.wsgi.application"
ASGI_APPLICATION = "controlplane.asgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "migrations_app.web.context.shell",
            ],
            "libraries": {"tidegate": "migrations_app.web.tags"},
        },
    },
]
DATABASES = {"default": env.db_url("TIDEGATE_DATABASE_URL")}
DATABASES["default"].update(
    CONN_MAX_AGE=60,
    CONN_HEALTH_CHECKS=True,
    OPTIONS={"connect_timeout": 5, "application_name": "tidegate-control", "options": "-c timezone=UTC"},
)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = "migrations_app.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_LOGIN_METHODS = {"username", "email"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_ADAPTER = "migrations_app.web.accounts.ClosedAccounts"
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# No collectstatic step before `make demo`: without its folder files are looked up as they are asked for.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = not STATIC_ROOT.is_dir()
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# --- Browser-side defences --------------------------------------------------------------------------------------------
_HTTPS = TIDEGATE_BASE_URL.startswith("https://")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = _HTTPS
SESSION_COOKIE_NAME = "__Host-tidegate" if _HTTPS else "tidegate"
CSRF_COOKIE_NAME = "__Host-tidegate-csrf" if _HTTPS else "tidegate-csrf"
SECURE_HSTS_SECONDS = 31_536_000 if _HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = _HTTPS
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("TIDEGATE_BEHIND_PROXY", default=False) else None
)
CSRF_TRUSTED_ORIGINS = [TIDEGATE_BASE_URL]
CSRF_FAILURE_VIEW = "migrations_app.web.failures.csrf"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "frame-ancestors": ["'none'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "object-src": ["'none'"],
    },
}

# --- REST -------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["migrations_app.api.authentication.BearerToken"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "EXCEPTION_HANDLER": "migrations_app.api.problems.problem",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Tidegate",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# --- Celery: messages are hints; rows and their leases decide (docs/why) ------------------------------------------
CELERY_BROKER_URL = env.str("TIDEGATE_BROKER_URL", default="redis://127.0.0.1:6379/0")
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,  # above any slice; an expired one would only be a harmless duplicate
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    "socket_timeout": 10,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    # Publishing must not hang while the broker is down (kombu retries even where it is told not to): tick sends again.
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 500
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False  # a lost message is re-sent by tick from the rows
CELERY_TASK_DEFAULT_QUEUE = "control"
CELERY_TASK_ROUTES = {
    "tidegate.run_revisions": {"queue": "revisions"},
    "tidegate.run_backfill": {"queue": "backfill"},
    "tidegate.rehearse": {"queue": "revisions"},
    "tidegate.complete_plan": {"queue": "revisions"},
    "tidegate.refresh": {"queue": "revisions"},
}
CELERY_TASK_PUBLISH_RETRY = False  # the caller must not hang on a broker that is down: the row is the outbox
CELERY_BEAT_SCHEDULE = {
    "tick": {"task": "tidegate.tick", "schedule": TIDEGATE_TICK_S, "options": {"expires": 60}},
    "refresh": {"task": "tidegate.refresh", "schedule": 60, "options": {"expires": 60}},
}
CELERY_BEAT_SCHEDULE_FILENAME = str(TIDEGATE_STATE_DIR / "beat-schedule")
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"

LOGGING = logging_config(level=env.str("TIDEGATE_LOG_LEVEL", default="INFO"), as_json=not DEBUG)
