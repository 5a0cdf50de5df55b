"""`rollouts/`: proposed, decided, steered and watched."""

# ruff: noqa: ARG002 - DRF hands the request to every handler, whether it is needed or not
from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.db.models import Count, OuterRef, Prefetch, QuerySet, Subquery, Sum
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from migrations_app.api.door import Door, ListDoor, WaitingDoor, find
from migrations_app.api.idempotency import once, once_if_asked
from migrations_app.api.serializers.decisions import DecisionIn, RejectionIn, approvals_of
from migrations_app.api.serializers.rollouts import PlanOut, RolloutIn, RolloutOut, RolloutRow, StepOut
from migrations_app.api.serializers.strict import Nothing
from migrations_app.api.waiting import Seen
from migrations_app.errors import FieldError, Invalid
from migrations_app.models import Approval, Rollout, Step, Target, TargetPlan
from migrations_app.models.status import ROLLOUT_FINAL
from migrations_app.stages import approve, plan, rollout

MOVES: Mapping[str, Callable[..., Rollout]] = {
    "start": rollout.start,
    "pause": rollout.pause,
    "resume": rollout.resume,
    "cancel": rollout.cancel,
    "retry": rollout.retry,
}
STEP_COLUMNS = ("kind", "status", "reason", "started_at", "finished_at", "plan__target__slug")


class RolloutDoor(Door):
    def found(self, pk: str) -> Rollout:
        return find(Rollout.objects.listed(), "rollout", pk=pk)

    def shape(self, row: Rollout) -> dict[str, Any]:
        """The whole answer: the row, its steps, and what the caller may decide."""
        steps = Step.objects.filter(plan__rollout=row).order_by("plan__wave", "plan_id", "position")
        steps = steps.select_related("plan__target", "revision")
        context = {
            "approvals": approvals_of(row, approve.may_decide(actor=self.actor, subject=row)),
            "steps": StepOut(steps.only(*STEP_COLUMNS, "revision__revision", "revision__message"), many=True).data,
            "links": self.links("rollout", row.pk, ("plan", "approve", "reject", *MOVES)),
        }
        return dict(RolloutOut(row, context=context).data)


class Rollouts(ListDoor, RolloutDoor):
    order = ("-pk",)
    row = RolloutRow
    filters = {"status": "status", "project": "project__slug", "author": "author__username"}
    parameters = {"target": "only those of this target"}

    def rows(self) -> QuerySet[Rollout]:
        rows, target = Rollout.objects.listed(), self.request.query_params.get("target")
        return rows.filter(plans__target__slug=target) if target else rows

    @extend_schema(request=RolloutIn, responses={201: RolloutOut})
    @once
    def post(self, request: Request) -> Response:
        """Plans every target; the answer says whether somebody has to approve it, and where."""
        given = self.read(RolloutIn)
        if "targets" in given:
            given["targets"] = _targets(given["targets"])
        purpose = given.pop("reason")
        row = plan.create_rollout(actor=self.actor, author=self.user, purpose=purpose, **given)
        return self.created(self.shape(row), "rollout", pk=row.pk)


class RolloutView(WaitingDoor, RolloutDoor):
    def look(self, pk: str) -> Seen:
        """A step that moves and an approval that is not yet the last one are news as well."""
        steps = Step.objects.filter(plan__rollout=OuterRef("pk")).order_by().values("plan__rollout")
        given = Approval.objects.filter(rollout=OuterRef("pk")).order_by().values("rollout")
        rows = Rollout.objects.annotate(
            steps=Subquery(steps.annotate(n=Sum("version")).values("n")),
            given=Subquery(given.annotate(n=Count("pk")).values("n")),
        )
        found = rows.filter(pk=pk).values_list("status", "version", "steps", "given").first()
        status, *numbers = found or (self.found(pk).status,)
        versions = ".".join(str(number or 0) for number in numbers)
        return Seen(f'"{pk}.{versions}.{self.user.pk}"', status in ROLLOUT_FINAL)

    def shown(self, pk: str) -> dict[str, Any]:
        return self.shape(self.found(pk))

    @extend_schema(responses={200: RolloutOut, 304: None})
    def get(self, request: Request, pk: str) -> Response:
        return super().get(request, pk)


class RolloutPlan(RolloutDoor):
    @extend_schema(responses=PlanOut)
    def get(self, request: Request, pk: str) -> Response:
        """Exactly what was planned, and what the digest covers."""
        steps = Step.objects.select_related("revision").order_by("position")
        plans = TargetPlan.objects.select_related("target").prefetch_related(
            Prefetch("steps", queryset=steps), "rehearsal__target"
        )
        row = self.found(pk)
        return Response(PlanOut({"digest": row.digest, "plans": plans.filter(rollout=row)}).data)


class RolloutApprove(RolloutDoor):
    @extend_schema(request=DecisionIn, responses=RolloutOut)
    @once_if_asked
    def post(self, request: Request, pk: str) -> Response:
        """Approving does not run it."""
        row = approve.approve(actor=self.actor, user=self.user, subject=self.found(pk), **self.read(DecisionIn))
        return Response(self.shape(row))


class RolloutReject(RolloutDoor):
    @extend_schema(request=RejectionIn, responses=RolloutOut)
    @once_if_asked
    def post(self, request: Request, pk: str) -> Response:
        row = approve.reject(actor=self.actor, user=self.user, subject=self.found(pk), **self.read(RejectionIn))
        return Response(self.shape(row))


class RolloutMove(RolloutDoor):
    """start, pause, resume, cancel or retry, by `move`."""

    move: ClassVar[str] = "start"

    @extend_schema(request=Nothing, responses={200: RolloutOut, 202: RolloutOut})
    @once
    def post(self, request: Request, pk: str) -> Response:
        """202: it goes on by itself; watch it with GET and ?wait=."""
        self.read(Nothing)
        row = MOVES[self.move](actor=self.actor, rollout=self.found(pk))
        return self.moved(self.shape(row), "rollout", row.pk, is_final=row.is_final)


def _targets(slugs: list[str]) -> list[Target]:
    """The targets in the order of their names; each unknown one is reported."""
    rows = Target.objects.select_related("environment", "project").in_bulk(slugs, field_name="slug")
    errors = [
        FieldError(f"/targets/{index}", f"There is no target {slug}.")
        for index, slug in enumerate(slugs)
        if slug not in rows
    ]
    if errors:
        raise Invalid(errors[0].detail, errors=errors)
    return [rows[slug] for slug in slugs]
