"""Cases for the risk engine: read from JSON lines, and judged each against the catalog of a scratch database."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import psycopg

from bench import case_project, case_rehearsal
from migrations_app.engines.postgres.connect import connect
from migrations_app.engines.postgres.facts import facts_for
from migrations_app.engines.risk import statements, verdict
from migrations_app.engines.risk.facts import Facts
from migrations_app.engines.risk.verdict import Analysis, RevisionSql
from migrations_app.errors import TidegateError

KINDS = ("sql", "alembic")
WORKERS = 2
APPLICATION = "tidegate:risk-cases"
Fresh = Callable[[], AbstractContextManager[str]]
"""Gives the URL of a database with nothing in it, for one case."""


@dataclass(frozen=True)
class Case:
    """One input to judge. `upgrade` is SQL, or for kind "alembic" the body of upgrade(); `expect` are its labels."""

    id: str
    kind: str
    setup: str
    upgrade: str
    downgrade: str | None
    is_transactional: bool
    expect: Mapping[str, Any]
    min_version: int


def read(line: str) -> Case:
    """Raises ValueError, which says what is wrong with the line."""
    told = json.loads(line)
    if not isinstance(told, dict):
        raise ValueError("it is no JSON object")
    texts = {name: told.get(name) for name in ("id", "kind", "upgrade")}
    missing = [name for name, value in texts.items() if not isinstance(value, str)]
    if missing:
        raise ValueError(f"{', '.join(missing)} must be there, as a text")
    if told["kind"] not in KINDS:
        raise ValueError(f"kind is {told['kind']!r}, not one of {', '.join(KINDS)}")
    return Case(
        id=told["id"],
        kind=told["kind"],
        setup=told.get("setup") or "",
        upgrade=told["upgrade"],
        downgrade=told.get("downgrade"),
        is_transactional=bool(told.get("transactional", True)),
        expect=told.get("expect") or {},
        min_version=int(told.get("min_version") or 0),
    )


def judge_all(lines: Sequence[str], fresh: Fresh, *, workers: int = WORKERS) -> list[dict[str, Any]]:
    """An answer for each line that is not blank, in the same order. A case that cannot be judged has an `error`."""
    answers: list[dict[str, Any] | None] = []
    cases: dict[int, Case] = {}
    seen: set[str] = set()
    for number, line in enumerate((line for line in lines if line.strip()), start=1):
        try:
            case = read(line)
            if case.id in seen:
                raise ValueError("an earlier case has the same id")
            seen.add(case.id)
            cases[len(answers)] = case
            answers.append(None)
        except ValueError as error:
            answers.append({"id": _id_of(line), "error": f"case {number} cannot be read: {error}"})
    rendered = case_project.render([case for case in cases.values() if case.kind == "alembic"])
    with ThreadPoolExecutor(workers) as pool:
        for index, answer in zip(cases, pool.map(partial(_answer, rendered, fresh), cases.values()), strict=True):
            answers[index] = answer
    return [answer for answer in answers if answer is not None]


def _id_of(line: str) -> str | None:
    with suppress(ValueError):
        told = json.loads(line)
        return told.get("id") if isinstance(told, dict) else None
    return None


def _answer(rendered: case_project.Rendered, fresh: Fresh, case: Case) -> dict[str, Any]:
    try:
        with fresh() as url:
            return to_json(case, judge(case, rendered, url))
    except TidegateError as error:
        return {"id": case.id, "error": error.detail}
    except Exception as error:  # noqa: BLE001 - a case that breaks the engine is a result; the others go on
        return {"id": case.id, "error": f"{type(error).__name__}: {error}"}


def judge(case: Case, rendered: case_project.Rendered, url: str) -> Analysis:
    """Run the setup in the database at `url`, and judge the upgrade by its catalog."""
    with psycopg.connect(url, autocommit=True) as conn:
        try:
            run_script(conn, case.setup)
        except psycopg.Error as error:
            raise ValueError(f"its setup fails with {error.sqlstate}: {error}") from None
    if case.kind == "sql":
        facts = catalog(url, [case.upgrade], is_transactional=case.is_transactional)
        return verdict.analyse(case.upgrade, facts=facts, transactional=case.is_transactional)
    revision = rendered(case)
    if case_rehearsal.wants_rehearsal(revision, case.downgrade):
        revision = case_rehearsal.rehearsed(revision, url, has_downgrade=case.downgrade is not None)
    return verdict.analyse_each([revision], facts=catalog(url, [revision.as_sent()]))[0]


def catalog(url: str, inputs: list[str] | list[RevisionSql], *, is_transactional: bool = True) -> Facts:
    """What the target's catalog says about everything that the inputs ask: the one place that knows who reads it."""
    with connect(url, application_name=APPLICATION) as conn:
        return facts_for(conn, inputs, transactional=is_transactional)


def to_json(case: Case, analysis: Analysis) -> dict[str, Any]:
    whole = analysis.to_json()
    answer = {"id": case.id, **{name: whole[name] for name in ("hazards", "dangerous", "lock", "rewrite", "level")}}
    return answer | {name: whole[name] for name in ("opaque", "fails") if whole[name]}


def run_script(conn: psycopg.Connection, sql: str) -> None:
    """Run a text as psql does, a statement at a time: in one query, VACUUM or CREATE DATABASE would be refused."""
    try:
        parts = [statement.sql for statement in statements.parse(sql)]
    except TidegateError:
        parts = [sql]  # PostgreSQL says better what is wrong with it
    for part in parts:
        conn.execute(part.encode())


@contextmanager
def scratch_database(admin_url: str) -> Iterator[str]:
    """The URL of a new, empty database on that server; it is gone afterwards."""
    name = f"risk_case_{secrets.token_hex(6)}"
    with psycopg.connect(admin_url, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            yield urlsplit(admin_url)._replace(path=f"/{name}").geturl()
        finally:
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
