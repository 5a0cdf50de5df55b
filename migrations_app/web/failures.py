"""Pages for what went wrong. None of them touches the database: it may be the very thing that does not answer."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from migrations_app.errors import TidegateError

# What a person can do about it, by the code of the error; the detail says what happened.
NEXT_STEPS = {
    "forbidden": "Ask an admin for the role, or ask somebody who has it.",
    "self_approval": "Send the link to somebody else who may approve.",
    "machine": "Open the page as a person and decide there.",
    "stale": "Go back, reload the page, and read what has changed before you decide again.",
    "illegal_transition": "Somebody was probably faster. Go back and reload to see the state as it is now.",
    "conflict": "Go back and reload to see the state as it is now.",
    "target_unreachable": "Check that the database runs and that its URL is right, then probe the target again.",
    "project_broken": "Mend the project's files or its settings, then read the source again.",
    "ambiguous_heads": "Name the revision to go to, or merge the heads in the project.",
    "unknown_revision": "Read the project's source again, or pick a revision from its history.",
    "not_found": "Check the link. The lists in the menu show everything that you may see.",
}


def refused(request: HttpRequest, error: TidegateError) -> HttpResponse:
    """A refusal of ours, as a page, or as a fragment when htmx asked."""
    context: dict[str, object] = {
        "title": error.title,
        "detail": error.detail,
        "errors": error.errors,
        "code": error.code,
        "next_step": NEXT_STEPS.get(error.code, "Go back, change what was wrong, and send it again."),
    }
    return _page(request, error.status, context)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001  # Django passes it
    """handler404"""
    return _page(
        request,
        404,
        {
            "title": "There is no such page",
            "detail": "Nothing here has this address, or it is not yours to see.",
            "next_step": NEXT_STEPS["not_found"],
        },
    )


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler403"""
    return _page(
        request,
        403,
        {"title": "You may not do this", "detail": str(exception), "next_step": NEXT_STEPS["forbidden"]},
    )


def csrf(request: HttpRequest, reason: str = "") -> HttpResponse:  # noqa: ARG001  # says too much to a forger
    """CSRF_FAILURE_VIEW"""
    return _page(
        request,
        403,
        {
            "title": "This form is not valid any more",
            "detail": "The page was open for long, you signed in again since, or cookies are switched off. "
            "Nothing was changed.",
            "next_step": "Go back, reload the page, and send the form again.",
        },
    )


def broken(request: HttpRequest) -> HttpResponse:
    """handler500"""
    return _page(
        request,
        500,
        {
            "title": "Tidegate itself failed",
            "detail": "This is a fault of ours, and it was logged. What you sent may or may not have been done: "
            "the lists show the state as it is. Workers are not affected, and targets are safe.",
            "next_step": "Look at the state before you try again. If it happens twice, send the request id below "
            "to whoever runs this server.",
        },
    )


def _page(request: HttpRequest, status: int, context: dict[str, object]) -> HttpResponse:
    is_fragment = bool(getattr(request, "htmx", False))
    template = "errors/_refused.html" if is_fragment else "errors/refused.html"
    context["request_id"] = getattr(request, "request_id", "")
    return render(request, template, context, status=status)
