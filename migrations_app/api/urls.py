"""Every address of the API, in the order of its reference."""

from django.urls import URLPattern, include, path

from migrations_app.api.views import (
    analyses,
    approvals,
    audit,
    backfills,
    description,
    environments,
    health,
    projects,
    rehearsals,
    rollouts,
    targets,
    waivers,
)

API: list[URLPattern] = [
    path("environments/", environments.Environments.as_view(), name="environments"),
    path("environments/<str:name>/", environments.EnvironmentView.as_view(), name="environment"),
    path("projects/", projects.Projects.as_view(), name="projects"),
    path("projects/<str:slug>/", projects.ProjectView.as_view(), name="project"),
    path("projects/<str:slug>/bundles/", projects.Bundles.as_view(), name="bundles"),
    path("projects/<str:slug>/revisions/", projects.Revisions.as_view(), name="revisions"),
    path("projects/<str:slug>/revisions/<str:revision>/", projects.RevisionView.as_view(), name="revision"),
    path("targets/", targets.Targets.as_view(), name="targets"),
    path("targets/<str:slug>/", targets.TargetView.as_view(), name="target"),
    path("targets/<str:slug>/probe/", targets.Probe.as_view(), name="probe"),
    path("targets/<str:slug>/pending/", targets.PendingRevisions.as_view(), name="pending"),
    path("targets/<str:slug>/volumetrics/", targets.VolumetricsView.as_view(), name="volumetrics"),
    path("targets/<str:slug>/drift/", targets.DriftView.as_view(), name="drift"),
    path("targets/<str:slug>/locks/", targets.LocksView.as_view(), name="locks"),
    path("targets/<str:slug>/rehearsals/", rehearsals.Rehearsals.as_view(), name="rehearsals"),
    path("rehearsals/<str:pk>/", rehearsals.RehearsalView.as_view(), name="rehearsal"),
    path("analyses/", analyses.Analyses.as_view(), name="analyses"),
    path("rollouts/", rollouts.Rollouts.as_view(), name="rollouts"),
    path("rollouts/<str:pk>/", rollouts.RolloutView.as_view(), name="rollout"),
    path("rollouts/<str:pk>/plan/", rollouts.RolloutPlan.as_view(), name="plan"),
    path("rollouts/<str:pk>/approve/", rollouts.RolloutApprove.as_view(), name="rollout-approve"),
    path("rollouts/<str:pk>/reject/", rollouts.RolloutReject.as_view(), name="rollout-reject"),
    *[
        path(f"rollouts/<str:pk>/{move}/", rollouts.RolloutMove.as_view(move=move), name=f"rollout-{move}")
        for move in rollouts.MOVES
    ],
    path("backfills/", backfills.Backfills.as_view(), name="backfills"),
    path("backfills/<str:pk>/", backfills.BackfillView.as_view(), name="backfill"),
    path("backfills/<str:pk>/samples/", backfills.BackfillSamples.as_view(), name="samples"),
    path("backfills/<str:pk>/approve/", backfills.BackfillApprove.as_view(), name="backfill-approve"),
    path("backfills/<str:pk>/reject/", backfills.BackfillReject.as_view(), name="backfill-reject"),
    *[
        path(f"backfills/<str:pk>/{move}/", backfills.BackfillMove.as_view(move=move), name=f"backfill-{move}")
        for move in backfills.MOVES
    ],
    path("approvals/", approvals.Approvals.as_view(), name="approvals"),
    path("waivers/", waivers.Waivers.as_view(), name="waivers"),
    path("waivers/<str:pk>/", waivers.WaiverView.as_view(), name="waiver"),
    path("waivers/<str:pk>/revoke/", waivers.WaiverRevoke.as_view(), name="waiver-revoke"),
    path("audit/", audit.Audit.as_view(), name="audit"),
    path("audit/verify/", audit.AuditVerify.as_view(), name="audit-verify"),
    path("schema/", description.Description.as_view(), name="schema"),
    path("docs/", description.Docs.as_view(), name="docs"),
]
urlpatterns = [
    path("livez", health.livez),
    path("readyz", health.readyz),
    path("metrics", health.prometheus),
    path("api/v1/", include((API, "api"))),
    path("api/<path:rest>", description.nowhere),
    path("api/", description.nowhere, {"rest": "/"}),
]
