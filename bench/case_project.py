"""One Alembic project out of many bodies of upgrade(): independent revisions, rendered offline by one child process."""

from __future__ import annotations

import ast
import io
import sys
import tempfile
import tokenize
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from migrations_app.engines.risk.verdict import RevisionSql
from migrations_app.engines.runner import bundle as bundles
from migrations_app.engines.runner import spawn
from migrations_app.engines.runner.launch import Launch
from migrations_app.errors import Invalid, TidegateError

INI = "[alembic]\nscript_location = %(here)s/scripts\nprepend_sys_path = .\nsqlalchemy.url = postgresql://\n"
ENV = """
from alembic import context
from sqlalchemy import engine_from_config, pool

if context.is_offline_mode():
    context.configure(url=context.config.get_main_option("sqlalchemy.url"), literal_binds=True)
    with context.begin_transaction():
        context.run_migrations()
else:
    section = context.config.get_section(context.config.config_ini_section)
    with engine_from_config(section, "sqlalchemy.", poolclass=pool.NullPool).connect() as connection:
        context.configure(connection=connection)
        with context.begin_transaction():
            context.run_migrations()
"""
REVISION = '''"""A case."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy import text
from sqlalchemy.dialects import postgresql

revision = "{revision}"
down_revision = None
branch_labels = None
depends_on = None


{upgrade}


{downgrade}
'''
LAUNCH = Launch(python=(sys.executable,))


class Body(Protocol):
    """What is asked of a case: its name, and the bodies of upgrade() and downgrade()."""

    @property
    def id(self) -> str: ...
    @property
    def upgrade(self) -> str: ...
    @property
    def downgrade(self) -> str | None: ...


@dataclass(frozen=True)
class Rendered:
    """What each case's upgrade() runs, by the case's id, or why it could not be rendered."""

    found: dict[str, RevisionSql | TidegateError]

    def __call__(self, case: Body) -> RevisionSql:
        """Raises TidegateError for a body that is no Python, or that stopped the process that rendered it."""
        answer = self.found[case.id]
        if isinstance(answer, TidegateError):
            raise answer
        return answer


def render(cases: Sequence[Body]) -> Rendered:
    """Render all bodies. What cannot be known without a database is opaque in its answer: a rehearsal resolves it."""
    found: dict[str, RevisionSql | TidegateError] = {}
    sources: dict[str, str] = {}
    for number, case in enumerate(cases):
        try:
            sources[case.id] = source(f"case{number:04}", case)
        except SyntaxError as error:
            found[case.id] = Invalid.field("/upgrade", f"It is not Python: {error.msg} (line {error.lineno}).")
    found.update(_render(sources))
    return Rendered(found)


def _render(sources: dict[str, str]) -> dict[str, RevisionSql | TidegateError]:
    """By halves where the child does not answer, until the body that stops it is alone."""
    if not sources:
        return {}
    try:
        with project(sources.values()) as (folder, revisions):
            told = spawn.offline_sql(LAUNCH, folder, revisions)
        return {id_: _as_input(told[name], name, sources[id_]) for id_, name in zip(sources, revisions, strict=True)}
    except TidegateError as error:
        if len(sources) == 1:
            return dict.fromkeys(sources, error)
    pairs = list(sources.items())
    middle = len(pairs) // 2
    return _render(dict(pairs[:middle])) | _render(dict(pairs[middle:]))


def _as_input(told: spawn.RevisionSql, revision: str, text: str) -> RevisionSql:
    down = told.down
    return RevisionSql(
        revision,
        told.statements,
        told.opaque,
        autocommit=told.autocommit,
        source=text,
        downgrade=down.statements if down and not down.opaque else None,
    )


@contextmanager
def project(sources: Iterable[str]) -> Iterator[tuple[Path, list[str]]]:
    """A bundle that holds each source as a revision without a parent, and their ids. For the runner's verbs."""
    with tempfile.TemporaryDirectory(prefix="tidegate-cases-") as place:
        versions = Path(place, "project", "scripts", "versions")
        versions.mkdir(parents=True)
        versions.parent.joinpath("env.py").write_text(ENV)
        Path(place, "project", "alembic.ini").write_text(INI)
        names = []
        for text in sources:
            names.append(_revision_of(text))
            versions.joinpath(f"{names[-1]}.py").write_text(text)
        made = spawn.collect(LAUNCH, Path(place, "project"))
        folder = bundles.unpack(made.archive, made.digest, Path(place, "bundles"))
        try:
            yield folder, names
        finally:
            bundles.discard(folder)


def _revision_of(text: str) -> str:
    return text.partition('revision = "')[2].partition('"')[0]


def source(revision: str, case: Body) -> str:
    """The whole revision file. Raises SyntaxError for a body that does not compile."""
    text = REVISION.format(
        revision=revision, upgrade=_function("upgrade", case.upgrade), downgrade=_function("downgrade", case.downgrade)
    )
    compile(text, revision, "exec")
    return text


def _function(name: str, body: str | None) -> str:
    """A body as a function. One that already is indented, or is the whole function, is taken as it is."""
    body = (body or "").strip("\n")
    if not any(line.strip() and not line.strip().startswith("#") for line in body.splitlines()):
        return f"def {name}() -> None:\n    pass"
    if body[0] in " \t":
        return f"def {name}() -> None:\n{body}"
    if any(isinstance(node, ast.FunctionDef) and node.name == name for node in _top_level(body)):
        return body
    return f"def {name}() -> None:\n{_indented(body)}"


def _top_level(body: str) -> list[ast.stmt]:
    try:
        return ast.parse(body).body
    except SyntaxError:  # a bare `return` is none at the top, and fine in a function
        return []


def _indented(body: str) -> str:
    """Every line one step in, but for those inside a string: they are data."""
    inside: set[int] = set()
    opened: list[int] = []
    try:
        for token in tokenize.generate_tokens(io.StringIO(body).readline):
            kind = tokenize.tok_name[token.type]
            if kind == "FSTRING_START":  # since Python 3.12 an f-string is several tokens
                opened.append(token.start[0])
            first = opened.pop() if kind == "FSTRING_END" else token.start[0]
            if kind in ("STRING", "FSTRING_END"):
                inside.update(range(first + 1, token.end[0] + 1))
    except tokenize.TokenError as error:
        raise SyntaxError(str(error.args[0]), ("<body>", error.args[1][0], None, None)) from None
    lines = body.split("\n")
    return "\n".join(line if n in inside or not line.strip() else f"    {line}" for n, line in enumerate(lines, 1))
