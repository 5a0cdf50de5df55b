"""Settings, urls and process entry points: wiring only, no domain."""

from controlplane.celery import app as celery_app

__all__ = ["celery_app"]
