"""Everything that Tidegate refuses, as one tree. A door turns these into a status; nobody else does.

The docstring of a class is its default title. `detail` says what happened here and what to do next; it is shown to
people, so no secret may be put into it. `code` is what a client branches on and never changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class FieldError:
    """One wrong field of an input: `pointer` is a JSON pointer ("/replicas/0/url")."""

    pointer: str
    detail: str


class TidegateError(Exception):
    """The request could not be carried out"""

    code = "error"
    status = 500

    def __init__(self, detail: str = "", *, code: str | None = None, errors: Sequence[FieldError] = ()) -> None:
        self.detail = detail or self.title
        self.errors = tuple(errors)
        if code is not None:
            self.code = code
        super().__init__(self.detail)

    @property
    def title(self) -> str:
        return (type(self).__doc__ or "").strip().splitlines()[0]


class Invalid(TidegateError):
    """The input is not valid"""

    code = "invalid"
    status = 400

    @classmethod
    def field(cls, pointer: str, detail: str) -> Invalid:
        """The usual case: exactly one field is wrong, and its sentence is also the whole answer."""
        return cls(detail, errors=[FieldError(pointer, detail)])


class Unauthenticated(TidegateError):
    """Who you are is not known"""

    code = "unauthenticated"
    status = 401


class Forbidden(TidegateError):
    """You may not do this"""

    code = "forbidden"
    status = 403


class NotFound(TidegateError):
    """There is no such thing, or it is not yours to see"""

    code = "not_found"
    status = 404


class Conflict(TidegateError):
    """The state has changed, or does not allow this"""

    code = "conflict"
    status = 409


class TooLarge(TidegateError):
    """The input is larger than the limit"""

    code = "too_large"
    status = 413


class Unprocessable(TidegateError):
    """The input is well-formed but cannot be carried out"""

    code = "unprocessable"
    status = 422


class TargetUnreachable(Unprocessable):
    """The target database does not answer"""

    code = "target_unreachable"


class ProjectBroken(Unprocessable):
    """The project's Alembic environment does not load"""

    code = "project_broken"


class AmbiguousHeads(Unprocessable):
    """The history has more than one head"""

    code = "ambiguous_heads"


class UnknownRevision(Unprocessable):
    """The history does not know this revision"""

    code = "unknown_revision"
