"""A person's decision, as both the rollout's and the backfill's page take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from django.contrib import messages
from django.http import HttpRequest

from migrations_app.errors import Conflict, Forbidden, Invalid, TidegateError
from migrations_app.models import Backfill, Rollout
from migrations_app.stages import approve
from migrations_app.web.people import actor_of, person

Subject = TypeVar("Subject", Rollout, Backfill)


@dataclass(frozen=True)
class Refusal:
    """Why a decision was not taken, and what the person had written, so that nobody has to write it twice."""

    error: TidegateError
    comment: str

    @property
    def on_comment(self) -> bool:
        return any(wrong.pointer == "/comment" for wrong in self.error.errors)

    @property
    def on_confirm(self) -> bool:
        return any(wrong.pointer == "/confirm" for wrong in self.error.errors)


def decide(request: HttpRequest, subject: Subject, decision: str) -> Refusal | None:
    """Approves or rejects what the form showed. None when it is done; what the stage refused is told in place."""
    comment = request.POST.get("comment", "").strip()
    digest = request.POST.get("digest", "")
    actor, user = actor_of(request), person(request)
    try:
        if decision == "reject":
            approve.reject(actor=actor, user=user, subject=subject, digest=digest, comment=comment)
            messages.success(request, "Rejected. Its author can read why.")
        else:
            confirm = _confirmed(request, subject)
            approve.approve(actor=actor, user=user, subject=subject, digest=digest, comment=comment, confirm=confirm)
            messages.success(request, "Your approval is kept. Nothing runs before somebody starts it.")
    except (Conflict, Forbidden, Invalid) as error:
        return Refusal(error, comment)
    return None


def needs_name(subject: Rollout | Backfill) -> bool:
    """The most dangerous ask for the target's name: typing it is the moment in which mistakes are noticed."""
    return getattr(subject, "level", "") == "critical"


def _confirmed(request: HttpRequest, subject: Rollout | Backfill) -> str:
    confirm = request.POST.get("confirm", "").strip()
    if needs_name(subject) and not confirm:
        raise Invalid.field("/confirm", "This is critical: type the name of a target that it changes.")
    return confirm
