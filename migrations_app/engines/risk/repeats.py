"""Rows of data: an INSERT of constants, or a change of single rows by a key, is judged as the one like it before.

Such statements leave nothing behind that another verdict depends on, and what the constants are makes no difference.
"""

from __future__ import annotations

import re

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk.analysis import Judged
from migrations_app.engines.risk.names import Node, inner, of_range, of_strings
from migrations_app.engines.risk.rows.extent import is_constant, is_point
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

ROWS = frozenset({"insert_stmt", "update_stmt", "delete_stmt"})
_CONSTANT = re.compile(r"'[^']*'|\b\d+(?:\.\d+)?\b")
_MAKES_A_VALUE = {"now", "clock_timestamp", "gen_random_uuid"}
# Where a quote may stand for something else than the begin or end of a string, texts are not compared.
_UNSURE = re.compile(r"[\"$\\]|--|/\*")


class Repeats:
    """Verdicts without any finding, by the text of the statement without its constants."""

    def __init__(self) -> None:
        self._known: dict[str, Judged] = {}

    def forget(self) -> None:
        """Another kind of statement may have changed what the verdicts depend on."""
        if self._known:
            self._known.clear()

    def find(self, statement: Statement) -> tuple[str, Judged | None]:
        """The text to keep the verdict under (empty: it must not be kept), and the verdict on one like it."""
        if _UNSURE.search(statement.sql):
            return "", None
        text = _CONSTANT.sub("?", statement.sql)
        known = self._known.get(text)
        if known is None:
            return text, None
        return text, Judged(
            statement.index,
            statement.line,
            statement.sql,
            known.kind,
            known.tables,
            known.lock,
            known.rewrite,
            known.scan,
            (),
            known.revision,
        )

    def keep(self, text: str, statement: Statement, judged: Judged, session: Session) -> None:
        if text and not judged.findings and not session.transaction.labels and _is_plain(statement, session):
            self._known[text] = judged


def _is_plain(statement: Statement, session: Session) -> bool:
    node = statement.node
    if node.HasField("with_clause") or node.HasField("returning_clause"):
        return False
    if statement.node_name == "insert_stmt":
        rows = inner(node.select_stmt)
        is_values = rows.DESCRIPTOR.name == "SelectStmt" and len(rows.values_lists) > 0
        return is_values and not node.HasField("on_conflict_clause") and all(map(_is_row, rows.values_lists))
    beside = node.using_clause if statement.node_name == "delete_stmt" else node.from_clause
    if len(beside) or not node.HasField("where_clause"):
        return False
    targets = node.target_list if statement.node_name == "update_stmt" else ()
    is_simple = all(is_constant(target.res_target.val) for target in targets)
    return is_simple and is_point(node.where_clause, session.relation(of_range(node.relation)))


def _is_row(row: Node) -> bool:
    return all(map(_is_value, row.list.items))


def _is_value(node: Node) -> bool:
    kind = node.WhichOneof("node")
    if kind in ("set_to_default", "sql_value_function"):
        return True
    if kind == "func_call":
        return of_strings(node.func_call.funcname) in _MAKES_A_VALUE and not len(node.func_call.args)
    if kind == "a_expr" and node.a_expr.kind == pg.AEXPR_OP:
        # The sign of a negative number.
        return not node.a_expr.HasField("lexpr") and is_constant(node.a_expr.rexpr)
    return is_constant(node)
