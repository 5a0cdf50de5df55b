"""Doors write no row, and only `lifecycle.advance` sets a status."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.architecture.tree import APP, files, python, short, tree
from tests.architecture.writes import row_writes, status_writes

# The one door with rows of its own: the answers that a repeated Idempotency-Key gets, stored with their HTTP status.
IDEMPOTENCY = APP / "api" / "idempotency.py"

Found = Iterator[tuple[int, str]]


def offences(paths: Iterator[Path], look: Callable[[ast.AST], Found]) -> list[str]:
    return [f"{short(path)}:{line} {code}" for path in paths if path != IDEMPOTENCY for line, code in look(tree(path))]


@pytest.mark.parametrize("door", ["api", "web", "management"])
def test_a_door_writes_no_row(door: str) -> None:
    assert offences(files(".py", under=APP / door), row_writes) == []


def test_only_lifecycle_sets_a_status() -> None:
    others = (path for path in python("migrations_app") if path != APP / "lifecycle.py")
    assert offences(others, status_writes) == []


@pytest.mark.parametrize(
    "code",
    [
        "rollout.save()",
        "form.save()",
        "serializer.save()",
        "super().delete()",
        "Rollout.objects.create(a=1)",
        "Rollout.objects.filter(a=1).update(b=2)",
        "found = Rollout.objects.all()\nfound.update(a=1)",
        "rollout.steps.bulk_create([])",
        "Target.objects.update_or_create(slug='a')",
        "rollout.steps.filter(a=1)[:3].delete()",
    ],
)
def test_a_write_of_a_row_is_seen(code: str) -> None:
    assert len(list(row_writes(ast.parse(code)))) == 1


@pytest.mark.parametrize(
    "code",
    [
        "headers.update({'a': 1})",
        "hashlib.sha256().update(b'')",
        "seen = set()\nseen.update([1])",
        "inventory.create(actor=actor)",
        "stages.target.update(slug='a')",
        "request.session.save()",
        "cache.delete('key')",
        "Rollout.objects.filter(a=1).first()",
    ],
)
def test_what_writes_no_row_passes(code: str) -> None:
    assert list(row_writes(ast.parse(code))) == []


@pytest.mark.parametrize(
    "code",
    [
        "rollout.status = 'running'",
        "Step.objects.filter(a=1).update(status='failed', b=2)",
        "setattr(step, 'status', 'failed')",
        "Step.objects.bulk_update(steps, ['status'])",
        "Step.objects.update_or_create(a=1, defaults={'status': 'failed'})",
    ],
)
def test_a_status_that_is_set_is_seen(code: str) -> None:
    assert len(list(status_writes(ast.parse(code)))) == 1


@pytest.mark.parametrize("code", ["Step(status='planned')", "if step.status == 'a': pass", "answer = dict(status=1)"])
def test_what_sets_no_status_of_a_row_passes(code: str) -> None:
    assert list(status_writes(ast.parse(code))) == []
