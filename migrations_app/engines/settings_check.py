"""Policies and limits as people write them: every name known, every value in its range, or a clear refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from migrations_app.errors import FieldError, Invalid

Check = Callable[[Any], str | None]


def _number(low: float, high: float, unit: str = "") -> Check:
    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            return f"must be a number from {low:g} to {high:g}{unit}"
        return None

    return check


def _whole(low: int, high: int) -> Check:
    def check(value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            return f"must be a whole number from {low} to {high}"
        return None

    return check


def _boolean(value: Any) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _names(value: Any) -> str | None:
    ok = isinstance(value, list) and all(isinstance(item, str) and item for item in value)
    return None if ok else "must be a list of names"


def _only(value_now: Any, spelled: str) -> Check:
    """For what the contract names and nothing enforces yet: a setting that is kept and ignored would be a lie."""

    def check(value: Any) -> str | None:
        return None if value == value_now else f"is not enforced by this version, so it can only be {spelled}"

    return check


POLICY: Mapping[str, Check] = {
    "approvals": _whole(1, 10),
    "approver_groups": _names,
    "allow_self_approval": _boolean,
    "expires_h": _number(1, 24 * 365, " hours"),
    "freeze": _only([], "an empty list"),
    "window": _only(None, "null"),
    "require_rehearsal": _boolean,
    "max_lag_s": _number(0.1, 3600, " seconds"),
}
LIMITS: Mapping[str, Check] = {
    "lock_timeout_ms": _whole(50, 60_000),
    "statement_timeout_ms": _whole(0, 86_400_000),
    "max_lag_s": _number(0.1, 3600, " seconds"),
    "lock_tries": _whole(1, 100),
}
DEFAULT_LIMITS: Mapping[str, Any] = {"lock_timeout_ms": 2_000, "statement_timeout_ms": 0, "lock_tries": 30}


def policy(given: Mapping[str, Any], *, over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` with the given parts in place. Raises Invalid with a pointer below /policy for each wrong one."""
    _check(given, POLICY, "/policy")
    return {**over, **given}


def limits(given: Mapping[str, Any]) -> dict[str, Any]:
    """The given limits. Raises Invalid with a pointer below /limits for each wrong one."""
    _check(given, LIMITS, "/limits")
    return dict(given)


def _check(given: Mapping[str, Any], checks: Mapping[str, Check], below: str) -> None:
    errors = []
    for name, value in given.items():
        wrong = checks[name](value) if name in checks else f"is not known; known are {', '.join(sorted(checks))}"
        if wrong:
            errors.append(FieldError(f"{below}/{name}", f"{name} {wrong}"))
    if errors:
        raise Invalid("; ".join(error.detail for error in errors), errors=errors)
