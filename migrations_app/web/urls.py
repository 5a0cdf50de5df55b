"""The pages. `reader` guards every one of them but the theme, which also works on the sign-in page."""

from __future__ import annotations

from django.urls import path, re_path

from migrations_app.web import (
    approvals,
    audit,
    backfill,
    backfills,
    home,
    preferences,
    projects,
    rehearsal,
    rollout,
    rollouts,
    target,
    targets,
    waivers,
)
from migrations_app.web.people import reader

_ID = r"(?P<{}>[a-z]+_[0-9a-f]{{32}})"
_ROLLOUT = rf"^rollouts/{_ID.format('rollout_id')}"
_REHEARSAL = rf"^rehearsals/{_ID.format('rehearsal_id')}"
_BACKFILL = rf"^backfills/{_ID.format('backfill_id')}"

urlpatterns = [
    path("", reader(home.show), name="home"),
    path("theme/", preferences.set_theme, name="theme"),
    path("targets/", reader(targets.index), name="targets"),
    path("targets/new/", reader(targets.new), name="target-new"),
    path("targets/<slug:slug>/", reader(target.show), name="target"),
    path("targets/<slug:slug>/probe/", reader(target.probe), name="target-probe"),
    path("targets/<slug:slug>/rehearse/", reader(rehearsal.ask), name="target-rehearse"),
    re_path(rf"{_REHEARSAL}/$", reader(rehearsal.show), name="rehearsal"),
    path("projects/", reader(projects.index), name="projects"),
    path("projects/<slug:slug>/", reader(projects.show), name="project"),
    path("projects/<slug:slug>/sync/", reader(projects.sync), name="project-sync"),
    path("rollouts/", reader(rollouts.index), name="rollouts"),
    path("rollouts/new/", reader(rollouts.new), name="rollout-new"),
    re_path(rf"{_ROLLOUT}/$", reader(rollout.show), name="rollout"),
    re_path(rf"{_ROLLOUT}/(?P<decision>approve|reject)/$", reader(rollout.settle), name="rollout-settle"),
    re_path(rf"{_ROLLOUT}/waive/$", reader(rollout.waive_finding), name="rollout-waive"),
    re_path(rf"{_ROLLOUT}/(?P<verb>{'|'.join(rollout.VERBS)})/$", reader(rollout.operate), name="rollout-operate"),
    path("backfills/", reader(backfills.index), name="backfills"),
    path("backfills/new/", reader(backfills.new), name="backfill-new"),
    re_path(rf"{_BACKFILL}/$", reader(backfill.show), name="backfill"),
    re_path(rf"{_BACKFILL}/(?P<decision>approve|reject)/$", reader(backfill.settle), name="backfill-settle"),
    re_path(rf"{_BACKFILL}/(?P<verb>{'|'.join(backfill.VERBS)})/$", reader(backfill.operate), name="backfill-operate"),
    re_path(rf"{_BACKFILL}/try/$", reader(backfill.try_out), name="backfill-try"),
    re_path(rf"{_BACKFILL}/limits/$", reader(backfill.limit), name="backfill-limits"),
    path("approvals/", reader(approvals.index), name="approvals"),
    path("waivers/", reader(waivers.index), name="waivers"),
    path("audit/", reader(audit.index, verb="audit"), name="audit"),
]
