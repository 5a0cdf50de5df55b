from __future__ import annotations

import sys
from collections.abc import Iterator

from migrations_app.engines.risk import revision_source
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.revision_sql import RevisionSql
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

# What revisions usually need; everything else that is neither of these nor of Python is taken for the application.
_TOOLS = {
    "alembic", "sqlalchemy", "sqlalchemy_utils", "geoalchemy2", "pgvector", "psycopg", "psycopg2", "asyncpg",
    "alembic_utils", "alembic_postgresql_enum", "sqlmodel", "citext", "pytz", "dateutil", "timescaledb",
    "sqlalchemy_json", "sqlalchemy_searchable", "fastapi_users_db_sqlalchemy", "fastapi_utils", "advanced_alchemy",
}  # fmt: skip
_TYPES = ("types", "type", "custom_types", "sqltypes", "fields", "enums")


def check(statement: Statement, session: Session) -> Iterator[Hit]:  # noqa: ARG001 - every rule is called alike
    revision: RevisionSql = statement.node
    if revision.tree is None:
        return
    for module, line in revision_source.imports(revision.tree):
        first, last = module.partition(".")[0], module.rpartition(".")[2]
        if first in _TOOLS or first in sys.stdlib_module_names or last in _TYPES:
            continue
        yield Hit(f"The revision imports {module or 'a neighbour'} of the application", line=line)


RULE = Rule(
    id="model-in-migration",
    severity="advice",
    nodes=("@revision",),
    what="The revision depends on code that goes on changing.",
    why="In a year the model has other columns and the function does something else, and this revision then does"
    " something else on a new database than it did on production, or fails.",
    safe_way="Spell the tables and columns out in the revision (sa.table, sa.column, or SQL), and copy the few lines"
    " that it needs.",
    check=check,
)
