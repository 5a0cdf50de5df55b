"""The rows that a new or validated constraint, a unique index or a stricter domain would meet."""

from __future__ import annotations

import re
from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.definitions import constraint_of
from migrations_app.engines.risk.facts import ConstraintFacts
from migrations_app.engines.risk.locking.alter_locks import Subcommand
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.rows import asking, expressions, trials
from migrations_app.engines.risk.rows.trials import Trial
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_CHECK = re.compile(r"CHECK \((.*)\)( NO INHERIT)?( NOT VALID)?( NOT ENFORCED)?\Z", re.DOTALL)


def of_alter(statement: Statement, session: Session) -> Iterator[Trial | None]:
    """SET NOT NULL, ADD CONSTRAINT and VALIDATE CONSTRAINT."""
    wanted = (pg.AT_SetNotNull, pg.AT_AddConstraint, pg.AT_ValidateConstraint)
    for at in burden.subcommands(statement, session, *wanted):
        if at.command.subtype == pg.AT_SetNotNull:
            yield trials.nulls(at.name, at.relation, at.command.name, session)
        elif at.command.subtype == pg.AT_AddConstraint:
            yield from _added(at, getattr(at.command, "def").constraint)
        else:
            known = at.relation.constraint(at.command.name) or _beside(at)
            if known is not None and not known.validated:
                yield from _validated(at, known)


def _beside(at: Subcommand) -> ConstraintFacts | None:
    """The constraint that the same ALTER TABLE adds."""
    for item in at.beside:
        constraint = getattr(item.alter_table_cmd, "def").constraint
        if item.alter_table_cmd.subtype == pg.AT_AddConstraint and constraint.conname == at.command.name:
            return constraint_of(constraint)
    return None


def _added(at: Subcommand, constraint: Node) -> Iterator[Trial | None]:
    columns, kind = burden.column_names(constraint), constraint.contype
    if constraint.skip_validation:
        return
    if kind in (pg.CONSTR_PRIMARY, pg.CONSTR_NOTNULL):
        for column in columns:
            yield trials.nulls(at.name, at.relation, column, at.session)
    if kind in (pg.CONSTR_PRIMARY, pg.CONSTR_UNIQUE) and not constraint.indexname:
        nulls = constraint.nulls_not_distinct
        yield trials.repeats(at.name, at.relation, columns, at.session, with_nulls=nulls)
    elif kind == pg.CONSTR_CHECK:
        yield _broken(at, constraint.raw_expr)
    elif kind == pg.CONSTR_FOREIGN:
        keys = [key.string.sval for key in constraint.fk_attrs]
        theirs = [key.string.sval for key in constraint.pk_attrs]
        yield _orphans(at, names.of_range(constraint.pktable), keys, theirs)


def _orphans(at: Subcommand, parent: str, keys: list[str], theirs: list[str]) -> Trial | None:
    return trials.orphans(at.name, at.relation, at.session.relation(parent), keys, theirs, at.session)


def _broken(at: Subcommand, condition: Node) -> Trial | None:
    if not expressions.is_harmless(condition):
        return None
    text, columns = expressions.spelled(condition), expressions.columns_of(condition)
    return trials.breaks(at.name, at.relation, text, columns, at.session)


def _validated(at: Subcommand, known: ConstraintFacts) -> Iterator[Trial | None]:
    if known.kind == "foreign" and known.references:
        yield _orphans(at, known.references, list(known.columns), list(known.referenced_columns))
    elif known.kind == "not_null":
        for column in known.columns:
            yield trials.nulls(at.name, at.relation, column, at.session)
    elif match := _CHECK.match(known.definition):
        condition = expressions.read(match[1])
        if condition is not None:
            yield _broken(at, condition)


def of_index(statement: Statement, session: Session) -> Iterator[Trial | None]:
    """CREATE UNIQUE INDEX over plain columns."""
    node = statement.node
    name = names.of_range(node.relation)
    relation = session.relation(name)
    elements = [item.index_elem for item in node.index_params]
    is_plain = all(each.name and not each.collation and not each.opclass for each in elements)
    if not node.unique or not burden.is_felt(relation) or not is_plain or relation.facts is None:
        return
    if node.if_not_exists and any(index.name == node.idxname for index in relation.facts.indexes):
        return
    where = ""
    if node.HasField("where_clause"):
        condition = node.where_clause
        columns = expressions.columns_of(condition)
        if not expressions.is_harmless(condition) or not trials.columns_as_before(relation, columns, session):
            return
        where = expressions.spelled(condition)
    keys = [each.name for each in elements]
    yield trials.repeats(name, relation, keys, session, where=where, with_nulls=node.nulls_not_distinct)


def of_domain(statement: Statement, session: Session) -> Iterator[Trial | None]:
    """ALTER DOMAIN ... ADD CHECK or SET NOT NULL: all columns of the domain."""
    node = statement.node
    known = session.facts.type_of(names.of_strings(node.type_name)) if session.facts else None
    condition = _domain_condition(node)
    if known is None or not condition:
        return
    for place in known.columns:
        table, _, column = place.rpartition(".")
        relation = session.relation(table)
        target = asking.table_sql(relation)
        is_array = relation.facts is not None and (relation.column(column).type or "").endswith("[]")
        if target is None or is_array or not trials.columns_as_before(relation, [column], session):
            continue
        values = f"(SELECT {asking.quoted_one(column)} AS value FROM {target}) AS v"  # noqa: S608 - quoted names
        question = trials.exists(f"{values} WHERE {condition}")
        is_null = node.subtype == "O"
        what = "NULLs" if is_null else "values that the new constraint forbids"
        message = f"{table}.{column} holds {what} of the domain {names.of_strings(node.type_name)}"
        look = trials.rows_where(table, f"{names.quoted(column)} IS NULL" if is_null else "...")
        yield Trial(relation, table, message, "23502" if is_null else "23514", question, column, look)


def _domain_condition(node: Node) -> str:
    """What is true of a value that is in the way, which the condition calls VALUE; empty when nothing can be asked."""
    if node.subtype == "O":
        return "value IS NULL"
    constraint = names.inner(getattr(node, "def"))
    if node.subtype != "C" or constraint.contype != pg.CONSTR_CHECK or constraint.skip_validation:
        return ""
    if not expressions.is_harmless(constraint.raw_expr):
        return ""
    return f"NOT ({expressions.spelled(constraint.raw_expr)})"
