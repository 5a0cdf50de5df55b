"""Takes secrets out of what foreign code printed or raised."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote, quote_plus

IN_URL = re.compile(r"(://[^:/@\s]*):([^@/\s]+)@")
SHORT = 4  # characters: a shorter secret would blank out half of every text
HIDDEN = "***"


class Redactor:
    def __init__(self, secrets: Iterable[str | None] = ()) -> None:
        spelled = {form for s in secrets if s for form in (s, quote(s, safe=""), quote_plus(s), s.replace("%", "%%"))}
        self._secrets = sorted((s for s in spelled if len(s) >= SHORT), key=len, reverse=True)

    def text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        return IN_URL.sub(rf"\1:{HIDDEN}@", text)

    def value(self, value: Any) -> Any:
        """The same for everything inside a JSON value."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self.value(item) for item in value]
        if isinstance(value, dict):
            return {key: self.value(item) for key, item in value.items()}
        return value
