"""Examples of rules that judge a revision as a whole: bad.py and good.py are revision files, without their ids."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations

from migrations_app.engines.risk import statements
from migrations_app.engines.risk.verdict import RevisionSql


def read(path: Path) -> RevisionSql:
    """The file as the runner would tell it: its SQL rendered without a database, or why that cannot be."""
    source = path.read_text()
    sql, autocommit, opaque = _rendered(source, "upgrade")
    downgrade, _, unknown = _rendered(source, "downgrade")
    return RevisionSql(
        path.stem, sql, opaque, autocommit=autocommit, source=source, downgrade=None if unknown else downgrade
    )


def _rendered(source: str, function: str) -> tuple[list[str], list[bool], str | None]:
    buffer = io.StringIO()
    opts = {"as_sql": True, "literal_binds": True, "output_buffer": buffer}
    context = MigrationContext.configure(dialect_name="postgresql", opts=opts)
    try:
        with Operations.context(context):
            if function in (code := _run(source)):
                code[function]()
    except Exception as error:  # noqa: BLE001 - whatever a revision raises without a database, it is opaque
        return [], [], f"{type(error).__name__}: {error}"
    sql, flags, is_outside = [], [], False
    for statement in statements.parse(buffer.getvalue()):
        if statement.sql in ("COMMIT", "BEGIN"):
            is_outside = statement.sql == "COMMIT"
            continue
        sql.append(statement.sql)
        flags.append(is_outside)
    return sql, flags, None


def upgrade(path: Path, database_url: str) -> None:
    """Run it for real, in one transaction, as Alembic does."""
    engine = sa.create_engine(urlsplit(database_url)._replace(scheme="postgresql+psycopg").geturl())
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"transaction_per_migration": True})
        with context.begin_transaction(_per_migration=True), Operations.context(context):
            _run(path.read_text())["upgrade"]()
    engine.dispose()


def _run(source: str) -> dict[str, Any]:
    code: dict[str, Any] = {}
    exec(compile(source, "revision.py", "exec"), code)
    return code
