"""Which columns of a predicate are those of the table that a DELETE, UPDATE or MERGE changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.rows import writes
from migrations_app.engines.risk.session import Relation, Session, known_columns

# Compared by shape, so everything that only says where a node stands is left out.
_PLACES = {"location", "list_start", "list_end", "rexpr_list_start", "rexpr_list_end", "stmt_location", "stmt_len"}


class Truth(Enum):
    """What a predicate is over the rows of the table."""

    TRUE = "true for every row"
    FALSE = "true for no row"
    NULL = "null, hence true for no row"
    FLAT = "the same for every row, which is not known"
    MIXED = "depends on the row"


@dataclass(frozen=True)
class Scope:
    """The changed table under all its names. `twins` are the same table again, read in full beside it."""

    relation: Relation
    aliases: frozenset[str]
    session: Session
    ctes: Mapping[str, Node]
    twins: frozenset[str] = frozenset()
    parents: Mapping[str, Relation] = field(default_factory=dict)
    """Other tables that are read in full beside it, by the names that they go by."""
    are_twins_joined: bool = False
    """A join by the same column, or by a foreign key, makes a predicate on the other one on the table itself."""

    def is_null_everywhere(self, name: str) -> bool | None:
        """Whether this column is NULL in every row (False: in none); None when it is neither or not known."""
        relation = self.relation
        if relation.is_made or writes.may_have_changed(relation, [name], self.session, adding=True):
            return None
        column = relation.column(name)
        if column.origin is None:
            return None if column.is_filled or relation.facts is None else True
        known = relation.facts.columns.get(column.origin) if relation.facts else None
        if known is None:
            return None
        return True if known.has_values is False else False if known.has_nulls is False else None

    def owns(self, column_ref: Node, *, in_subquery: bool, is_compared: bool = False) -> bool:
        """Whether a column reference reads the changed table."""
        fields = [item.string.sval for item in column_ref.fields if item.WhichOneof("node") == "string"]
        if not fields:
            return not in_subquery
        if len(fields) > 1 or len(fields) < len(column_ref.fields):
            alias = fields[-2] if len(fields) == len(column_ref.fields) else fields[-1]
            is_joined = self.are_twins_joined and (alias in self.twins or alias in self.parents)
            return is_joined or alias in self.aliases
        if fields[0] in self.aliases:
            return True
        if self.are_twins_joined and self.parents:
            return True
        known = known_columns(self.relation)
        if known and not in_subquery:
            return fields[0] in known or fields[0] in self.relation.columns
        # Inside a subquery a bare name belongs to the subquery, unless it is set against another column.
        return is_compared if in_subquery else True

    def shape(self, node: Node) -> object:
        """A value that two nodes share when they spell the same expression; the table's own alias is left out."""
        node = inner(node)
        if node.DESCRIPTOR.name == "ColumnRef" and self.owns(node, in_subquery=False):
            fields = list(node.fields)[-1:]
            return ("own column", tuple(item.string.sval for item in fields))
        parts: list[object] = [node.DESCRIPTOR.name]
        for part, value in node.ListFields():
            if part.name in _PLACES:
                continue
            if part.type != part.TYPE_MESSAGE:
                parts.append((part.name, value if isinstance(value, (str, int, float, bool, bytes)) else tuple(value)))
            elif hasattr(value, "DESCRIPTOR"):
                parts.append((part.name, self.shape(value)))
            else:
                parts.append((part.name, tuple(self.shape(item) for item in value)))
        return tuple(parts)


def references(node: Node, scope: Scope, *, in_subquery: bool = False, is_compared: bool = False) -> bool:
    """Whether the expression reads a column of the changed table, from within subqueries too."""
    node = inner(node)
    kind = node.DESCRIPTOR.name
    if kind == "ColumnRef":
        return scope.owns(node, in_subquery=in_subquery, is_compared=is_compared)
    inside = in_subquery or (kind == "SelectStmt" and len(node.from_clause) > 0)
    compared = kind == "A_Expr" and all(inner(side).DESCRIPTOR.name == "ColumnRef" for side in (node.lexpr, node.rexpr))
    for part, value in node.ListFields():
        if part.type != part.TYPE_MESSAGE:
            continue
        children = [value] if hasattr(value, "DESCRIPTOR") else value
        if any(references(child, scope, in_subquery=inside, is_compared=compared) for child in children):
            return True
    return False
