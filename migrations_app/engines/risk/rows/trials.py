"""What PostgreSQL will refuse because of the rows: each trial is a question to them, and what their answer means."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from migrations_app.engines.risk import names
from migrations_app.engines.risk.facts import Question
from migrations_app.engines.risk.rows import asking, writes
from migrations_app.engines.risk.rows.asking import quoted_one
from migrations_app.engines.risk.session import Relation, Session

_BY_ROWS = ("22", "23")
"""Classes of SQLSTATE that a value causes: data exceptions and broken constraints."""


@dataclass(frozen=True, slots=True)
class Trial:
    """`question` is answered with true when a row is in the way; None: the catalog has proved already that one is.

    `fails` is the SQLSTATE that follows; None when only the refusal of the question itself can tell. `look` shows a
    person those rows.
    """

    relation: Relation
    table: str
    message: str
    fails: str | None
    question: Question | None = None
    column: str | None = None
    look: str = ""

    def verdict(self, session: Session) -> str | None:
        """The SQLSTATE with which the statement fails; None when it does not, or nobody knows."""
        if self.question is None:
            return self.fails
        if asking.answer(session, self.question) is True:
            return self.fails
        refused = asking.refusal(session, self.question)
        return refused if refused is not None and refused.startswith(_BY_ROWS) else None


def columns_as_before(relation: Relation, columns: Iterable[str], session: Session, *, adding: bool = False) -> bool:
    """Whether these columns hold what the target holds now: not new, not renamed, not written by the input."""
    facts = relation.facts
    if facts is None or facts.has_rows is False or relation.is_made:
        return False
    wanted = list(columns)
    for name in wanted:
        column = relation.column(name)
        if column.origin != name or name not in facts.columns:
            return False
    return not writes.may_have_changed(relation, wanted, session, adding=adding)


def nulls(table: str, relation: Relation, column: str, session: Session) -> Trial | None:
    """A NULL in a column that is to have none."""
    known, facts = relation.column(column), relation.facts
    if facts is None or known.not_null or relation.holds_nothing_old or relation.is_made:
        return None
    message = f"{table}.{column} holds NULLs, and is to be NOT NULL"
    look = rows_where(table, f"{names.quoted(column)} IS NULL")
    if known.origin is None and known.type is not None:
        is_untouched = not known.is_filled and not writes.may_have_changed(relation, [column], session)
        if not facts.has_rows or not is_untouched:
            return None
        message = f"{table}.{column} is new, hence NULL in every row, and is to be NOT NULL"
        return Trial(relation, table, message, "23502", column=column, look=look)
    if not columns_as_before(relation, [column], session):
        return None
    has_nulls = facts.columns[column].has_nulls
    if has_nulls is False:
        return None
    question = None if has_nulls else asking.any_row(relation, f"{quoted_one(column)} IS NULL")
    if has_nulls is None and question is None:
        return None
    return Trial(relation, table, message, "23502", question, column, look)


def repeats(
    table: str, relation: Relation, columns: list[str], session: Session, *, where: str = "", with_nulls: bool = False
) -> Trial | None:
    """A combination of values in two rows, where it is to be unique. `where`: of a partial index, as SQL."""
    facts, target = relation.facts, asking.table_sql(relation)
    if facts is None or target is None or not columns:
        return None
    if not columns_as_before(relation, columns, session, adding=False) or _are_unique(relation, columns):
        return None
    keys = ", ".join(map(quoted_one, columns))
    present = [] if with_nulls else [f"{quoted_one(column)} IS NOT NULL" for column in columns]
    conditions = " AND ".join([*present, *([f"({where})"] if where else [])])
    rows = f"{target}{f' WHERE {conditions}' if conditions else ''} GROUP BY {keys} HAVING count(*) > 1"
    question = exists(rows)
    message = f"{table} holds the same {', '.join(columns)} more than once, and is to hold it once"
    shown = f"{names.quoted(table)}{f' WHERE {where}' if where else ''}"
    look = f"SELECT {keys}, count(*) FROM {shown} GROUP BY {keys} HAVING count(*) > 1;"  # noqa: S608 - shown, not run
    return Trial(relation, table, message, "23505", question, columns[0] if len(columns) == 1 else None, look)


def _are_unique(relation: Relation, columns: list[str]) -> bool:
    """Whether an index proves it already."""
    assert relation.facts is not None
    return any(
        index.unique and index.valid and not index.predicate and index.columns and set(index.columns) <= set(columns)
        for index in relation.facts.indexes
    )


def breaks(table: str, relation: Relation, condition: str, columns: Iterable[str], session: Session) -> Trial | None:
    """A row for which a CHECK is false; NULL passes."""
    if not condition or not columns_as_before(relation, columns, session):
        return None
    question = asking.any_row(relation, f"NOT ({condition})")
    if question is None:
        return None
    message = f"{table} holds rows that break {condition}"
    return Trial(relation, table, message, "23514", question, None, rows_where(table, f"NOT ({condition})"))


def exists(rows: str) -> Question:
    """Whether there is one: what stands behind FROM, made of quoted names and conditions that were read."""
    return Question(f"SELECT EXISTS (SELECT FROM {rows})")  # noqa: S608 - see above


def rows_where(table: str, condition: str) -> str:
    """For a person to run."""
    return f"SELECT * FROM {names.quoted(table)} WHERE {condition};"  # noqa: S608 - shown, and made of quoted names


def orphans(
    child_name: str, child: Relation, parent: Relation, keys: list[str], parent_keys: list[str], session: Session
) -> Trial | None:
    """A row of the child whose key no row of the parent has."""
    target = asking.table_sql(child)
    if target is None or not columns_as_before(child, keys, session):
        return None
    present = " AND ".join(f"c.{quoted_one(key)} IS NOT NULL" for key in keys)
    missing = _missing(parent, keys, parent_keys, session)
    if missing is None:
        return None
    condition = f"{present}{missing}"
    question = exists(f"{target} AS c WHERE {condition}")
    message = f"{child_name} holds rows whose {', '.join(keys)} no row of {parent.name} has"
    look = f"SELECT c.* FROM {names.quoted(child_name)} AS c WHERE {condition};"  # noqa: S608 - shown, not run
    return Trial(child, child_name, message, "23503", question, keys[0] if len(keys) == 1 else None, look)


def _missing(parent: Relation, keys: list[str], parent_keys: list[str], session: Session) -> str | None:
    """The condition that no row of the parent matches; empty when it has no rows; None when that is not known."""
    if writes.may_have_changed(parent, parent_keys, session, adding=True):
        return None
    if parent.is_made:
        return "" if not parent.took_in else None
    facts = parent.facts
    if facts is None or parent.is_absent:
        return None
    parent_keys = parent_keys or next((list(c.columns) for c in facts.constraints if c.kind == "primary"), [])
    if facts.has_rows is False:
        return ""
    source = asking.table_sql(parent)
    if source is None or len(parent_keys) != len(keys) or not columns_as_before(parent, parent_keys, session):
        return None
    pairs = zip(parent_keys, keys, strict=True)
    joined = " AND ".join(f"p.{quoted_one(theirs)} = c.{quoted_one(ours)}" for theirs, ours in pairs)
    return f" AND NOT EXISTS (SELECT FROM {source} AS p WHERE {joined})"
