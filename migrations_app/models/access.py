"""Who may do something: people, machines, their tokens, and the answers kept for repeated requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Now

from migrations_app.models.rows import new_id


class User(AbstractUser):
    """A person, or a service account (`is_machine`) that pipelines act as. Roles are the names of groups."""

    is_machine = models.BooleanField(default=False)
    time_zone = models.CharField(max_length=60, default="UTC", help_text="IANA name; pages show times in it")

    @property
    def roles(self) -> frozenset[str]:
        return frozenset(self.groups.values_list("name", flat=True))


@dataclass(frozen=True)
class Actor:
    """Who does something and through which door. Stages take one; the audit keeps it."""

    name: str
    kind: str = "person"  # person | machine | system
    user_id: int | None = None
    roles: frozenset[str] = field(default=frozenset())
    via: str = ""  # api | web | command | tick | worker
    request_id: str = ""

    @classmethod
    def system(cls, via: str) -> Actor:
        """Tidegate itself: the scheduler or a worker, carrying on what a person or machine asked for."""
        return cls(name="tidegate", kind="system", via=via)

    @classmethod
    def of(cls, user: User, *, via: str, request_id: str = "", is_machine: bool = False) -> Actor:
        """The person or service account behind a session or a token. A machine's token makes a machine of anybody."""
        kind = "machine" if user.is_machine or is_machine else "person"
        return cls(user.get_username(), kind, user.pk, user.roles, via, request_id)


class ApiToken(models.Model):
    """A bearer token. The secret is shown once and kept only as an HMAC under the pepper `pepper_id`."""

    id = models.CharField(primary_key=True, max_length=40, default=partial(new_id, "tok"))
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64)
    pepper_id = models.CharField(max_length=40)
    is_machine = models.BooleanField(default=True, help_text="a machine's token can never approve")
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.name


class IdempotencyRecord(models.Model):
    """The answer to a POST, kept so that the same key and body get the same answer and never a second effect."""

    user = models.ForeignKey(User, on_delete=models.CASCADE)
    key = models.CharField(max_length=255)
    method = models.CharField(max_length=10)
    path = models.CharField(max_length=500)
    body_sha256 = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True, help_text="null while the first request is still running")
    body = models.JSONField(null=True)
    location = models.CharField(max_length=500, blank=True, default="")
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "key", "method", "path"], name="idempotency_once_per_key"),
        ]
