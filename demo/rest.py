"""The REST API as a pipeline sees it: JSON in and out, and every refusal with its words."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from typing import Any

from migrations_app.errors import TidegateError


class Refused(TidegateError):
    """The API refused"""

    def __init__(self, status: int, problem: dict[str, Any], path: str) -> None:
        self.http_status = status
        told = "; ".join(f"{error['pointer']}: {error['detail']}" for error in problem.get("errors", []))
        super().__init__(f"{path}: {status} {problem.get('detail', '')} {told}".strip(), code=problem.get("code", ""))


class Api:
    """One caller's view of /api/v1/."""

    def __init__(self, base_url: str, token: str) -> None:
        self.base, self.token = f"{base_url}/api/v1/", token

    def get(self, path: str) -> Any:
        return self._call("GET", path)

    def post(self, path: str, **body: Any) -> Any:
        return self._call("POST", path, body)

    def wait(self, path: str, until: set[str], *, timeout_s: float) -> Any:
        """Asks until the status is one of these (the server answers at once when it changes)."""
        deadline = time.monotonic() + timeout_s
        while (found := self.get(f"{path}?wait=5"))["status"] not in until:
            if time.monotonic() > deadline:
                raise TidegateError(f"{path} is {found['status']} after {timeout_s:.0f} s: {found['reason']}")
        return found

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        if method == "POST":
            headers["Idempotency-Key"] = uuid.uuid4().hex
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            raise Refused(error.code, _json(error.read()), f"{method} {path}") from None
        return _json(text)


def _json(text: bytes) -> Any:
    try:
        return json.loads(text or b"{}")
    except ValueError:
        return {"detail": text.decode(errors="replace")[:300]}
