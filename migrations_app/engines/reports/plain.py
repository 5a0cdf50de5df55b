"""The analysis itself, as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def report(analysis: Mapping[str, Any], path: str) -> str:  # noqa: ARG001 - every format is called alike
    return json.dumps(analysis, indent=2, ensure_ascii=False)
