"""Questions about the rows of a target, spelled by the names that its catalog has now, and their answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from migrations_app.engines.risk.facts import Question
from migrations_app.engines.risk.session import Relation, Session

_READABLE = ("table", "partitioned", "matview")


def original(relation: Relation, columns: Sequence[str]) -> list[str] | None:
    """The quoted names that the columns have in the catalog; None when one of them is new or unknown there."""
    if relation.facts is None:
        return None
    origins = [relation.column(column).origin for column in columns]
    if any(origin is None or origin not in relation.facts.columns for origin in origins):
        return None
    return [quoted_one(origin) for origin in origins if origin is not None]


def quoted_one(name: str) -> str:
    """One identifier, which may hold a dot itself."""
    return '"' + name.replace('"', '""') + '"'


def table_sql(relation: Relation) -> str | None:
    """The table as SQL; None when the catalog does not have it, or it holds no rows that could be asked."""
    facts = relation.facts
    if facts is None or facts.kind not in _READABLE or facts.has_rows is False:
        return None
    return f"{quoted_one(facts.schema)}.{quoted_one(facts.name)}"


def any_row(relation: Relation, condition: str) -> Question | None:
    """Whether any row meets the condition, which names columns as the catalog does. None when nobody can say."""
    table = table_sql(relation)
    return Question(f"SELECT EXISTS (SELECT FROM {table} WHERE {condition})") if table else None  # noqa: S608 - quoted


def repeated(relation: Relation, columns: Sequence[str]) -> Question | None:
    """Whether any combination of values without a NULL stands in two rows."""
    table, known = table_sql(relation), original(relation, columns)
    if table is None or not known:
        return None
    keys = ", ".join(known)
    present = " AND ".join(f"{column} IS NOT NULL" for column in known)
    groups = f"{table} WHERE {present} GROUP BY {keys} HAVING count(*) > 1"
    return Question(f"SELECT EXISTS (SELECT FROM {groups})")  # noqa: S608 - quoted


def answer(session: Session, question: Question | None) -> object | None:
    """The value; None when it was not asked, or not answered in time, or PostgreSQL refused the question."""
    if question is None or session.facts is None:
        return None
    found = session.facts.answers.get(question.sql)
    return None if isinstance(found, Mapping) else found


def refusal(session: Session, question: Question | None) -> str | None:
    """The SQLSTATE with which the rows refused the question (a cast that one of them does not survive)."""
    if question is None or session.facts is None:
        return None
    found = session.facts.answers.get(question.sql)
    return str(found["error"]) if isinstance(found, Mapping) else None
