"""The Celery app: `celery -A controlplane worker -Q control,revisions,backfill,notify` and `... beat`."""

import ctypes
import os
from typing import Any

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
PR_SET_DUMPABLE = 4  # prctl(2)

app = Celery("tidegate")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["migrations_app"])


@signals.worker_init.connect
@signals.worker_process_init.connect
def hide_from_children(**_: Any) -> None:
    """A project's env.py runs as our user, and could read our keys out of /proc/<pid>/environ if we were dumpable."""
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
