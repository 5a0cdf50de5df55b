"""How many rows the condition of a DELETE or UPDATE really meets, counted on the target where that is cheap."""

from __future__ import annotations

from dataclasses import dataclass

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.facts import Question
from migrations_app.engines.risk.findings import Severity
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.rows import asking, expressions, sweeps
from migrations_app.engines.risk.rows.predicates import selects_all
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement

COUNTED_ROWS = 100_000
"""In larger tables the first rows need not be like the others, and counting all of them takes its time."""
_NEARLY_ALL, _MOST = 0.95, 0.5
_FEW = 20
"""In a table this small a plain condition may well mean most of the rows; a range of the key is looked at anyway."""
_RANGES = ("<", "<=", ">", ">=", "<>")


@dataclass(frozen=True)
class Share:
    """`matching` of `total` rows lose something: themselves, or a value in one of `columns`."""

    relation: Relation
    columns: tuple[str, ...]
    matching: int
    total: int
    is_key_range: bool

    @property
    def severity(self) -> Severity | None:
        if self.total == 0 or self.total > COUNTED_ROWS or (self.total < _FEW and not self.is_key_range):
            return None
        share = self.matching / self.total
        return "danger" if share >= _NEARLY_ALL else "hazard" if share >= _MOST else None

    def __str__(self) -> str:
        return f"{self.matching:,} of {self.total:,} rows ({self.matching / self.total:.0%})"


def of_statement(statement: Statement, session: Session) -> Share | None:
    """None when it was not counted."""
    counted = asking.answer(session, question(statement, session))
    written = sweeps.target(statement, session)
    if not isinstance(counted, str) or written is None:
        return None
    matching, _, total = counted.partition("/")
    is_range = _is_key_range(statement.node.where_clause, written.relation)
    return Share(written.relation, _lost(statement, written.relation), int(matching), int(total), is_range)


def question(statement: Statement, session: Session) -> Question | None:
    """None when the statement reaches every row anyway, or its condition looks at more than the table itself."""
    node = statement.node
    if not node.HasField("where_clause") or statement.ctes or session.facts is None:
        return None
    beside = node.using_clause if statement.node_name == "delete_stmt" else node.from_clause
    written = sweeps.target(statement, session)
    if beside or written is None or written.view is not None or _is_large(written.relation):
        return None
    relation, alias = written.relation, node.relation.alias.aliasname or node.relation.relname
    condition = _condition(statement, relation)
    table = asking.table_sql(relation)
    if condition is None or table is None or selects_all(node.where_clause, sweeps.scope_of(statement, session)):
        return None
    only = "" if node.relation.inh else "ONLY "
    rows = f"SELECT * FROM {only}{table} LIMIT {COUNTED_ROWS + 1}"  # noqa: S608 - quoted by asking
    counts = f"count(*) FILTER (WHERE {condition})::text || '/' || count(*)::text"
    return Question(f"SELECT {counts} FROM ({rows}) AS {asking.quoted_one(alias)}")  # noqa: S608 - read by a parser


def _is_large(relation: Relation) -> bool:
    return relation.facts is None or (relation.facts.rows or 0) > 2 * COUNTED_ROWS


def _condition(statement: Statement, relation: Relation) -> str | None:
    """The condition as SQL, of an UPDATE with that a value is lost; None when it may not be asked."""
    where = statement.node.where_clause
    if not expressions.is_harmless(where) or not _are_old(expressions.columns_of(where), relation):
        return None
    text = expressions.spelled(where)
    if statement.node_name == "delete_stmt":
        return text or None
    lost = _lost(statement, relation)
    if not text or not lost or not _are_old(set(lost), relation):
        return None
    return f"({text}) AND ({' OR '.join(f'{asking.quoted_one(column)} IS NOT NULL' for column in lost)})"


def _lost(statement: Statement, relation: Relation) -> tuple[str, ...]:
    node = statement.node
    if statement.node_name == "delete_stmt":
        return ()
    alias = node.relation.alias.aliasname or node.relation.relname
    assigned = (item.res_target for item in node.target_list)
    return tuple(each.name for each in assigned if sweeps.overwrites(each, relation, alias))


def _are_old(columns: set[str], relation: Relation) -> bool:
    """Whether the catalog has all of them, under the names that they have now."""
    known = relation.facts.columns if relation.facts else {}
    return all(column in known and relation.column(column).origin == column for column in columns)


def _is_key_range(where: Node, relation: Relation) -> bool:
    """`id > 1`: a comparison of the primary key with something, other than equality."""
    node = inner(where)
    if node.DESCRIPTOR.name != "A_Expr" or node.kind not in (pg.AEXPR_OP, pg.AEXPR_BETWEEN):
        return False
    key = next((each.columns for each in relation.known_constraints() if each.kind == "primary"), ())
    column = inner(node.lexpr)
    is_key = column.DESCRIPTOR.name == "ColumnRef" and names.bare(names.of_strings(column.fields)) in key
    return is_key and (node.kind == pg.AEXPR_BETWEEN or names.of_strings(node.name) in _RANGES)
