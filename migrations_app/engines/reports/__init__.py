"""An analysis as other programs and people read it: one module a format, each a pure function of the JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from migrations_app.engines.reports import github, junit, plain, sarif, text

Report = Callable[[Mapping[str, Any], str], str]

FORMATS: Mapping[str, Report] = {
    "text": text.report,
    "json": plain.report,
    "sarif": sarif.report,
    "github": github.report,
    "junit": junit.report,
}
"""By the name that `--format` takes. Each is given the analysis and the path of what was analysed."""
