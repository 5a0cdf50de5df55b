"""`analyses/`: what SQL, or a range of revisions, would do. Nothing is run, nothing is kept."""

# ruff: noqa: ARG002 - DRF hands the request to every handler, whether it is needed or not
from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from migrations_app.api.door import Door
from migrations_app.api.serializers.analyses import AnalysisIn, AnalysisOut
from migrations_app.stages import analyse, examine


class Analyses(Door):
    @extend_schema(request=AnalysisIn, responses=AnalysisOut)
    def post(self, request: Request) -> Response:
        """Either `sql`, or a project with `from` and `to`; with a target, its catalog makes the answer exact."""
        return Response(self._analysis(self.read(AnalysisIn)))

    def _analysis(self, given: dict[str, Any]) -> dict[str, Any]:
        target = given.get("target")
        if "project" in given:
            first, last = given.get("from", ""), given.get("to", "")
            return examine.analyse_revisions(
                actor=self.actor, project=given["project"], first=first, last=last, target=target
            )
        if target:
            return analyse.analyse_for_target(actor=self.actor, sql=given["sql"], target=target)
        return analyse.analyse_sql(sql=given["sql"])
