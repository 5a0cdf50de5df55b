"""A column or a constraint as the input spells it, put into the session."""

from __future__ import annotations

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.column_types import spell
from migrations_app.engines.risk.facts import ConstraintFacts, ConstraintKind
from migrations_app.engines.risk.names import Node, inner
from migrations_app.engines.risk.rows import expressions
from migrations_app.engines.risk.session import Column, Relation

_CONSTRAINTS: dict[int, ConstraintKind] = {
    pg.CONSTR_PRIMARY: "primary",
    pg.CONSTR_UNIQUE: "unique",
    pg.CONSTR_FOREIGN: "foreign",
    pg.CONSTR_CHECK: "check",
    pg.CONSTR_EXCLUSION: "exclude",
    pg.CONSTR_NOTNULL: "not_null",
}


def constraint_of(definition: Node, *, column: str = "") -> ConstraintFacts:
    """A constraint as the input spells it. An unnamed one has an empty name."""
    keys = definition.fk_attrs if definition.contype == pg.CONSTR_FOREIGN else definition.keys
    columns = tuple(key.string.sval for key in keys) or ((column,) if column else ())
    parent = names.of_range(definition.pktable) if definition.HasField("pktable") else None
    kind = _CONSTRAINTS.get(definition.contype, "check")
    proven = _proven_not_null(definition) if kind == "check" else ""
    if kind == "check" and not column and definition.HasField("raw_expr"):
        columns = tuple(sorted(expressions.columns_of(definition.raw_expr)))
    return ConstraintFacts(
        definition.conname,
        kind,
        (proven,) if proven else columns,
        f"CHECK (({names.quoted(proven)} IS NOT NULL))" if proven else _told(definition, kind),
        validated=definition.initially_valid and not definition.skip_validation,
        references=parent,
        referenced_columns=tuple(key.string.sval for key in definition.pk_attrs),
    )


def _told(definition: Node, kind: ConstraintKind) -> str:
    """The condition of a CHECK that stands by itself, where a later VALIDATE or ATTACH wants to know it."""
    if kind != "check" or not definition.conname or not definition.HasField("raw_expr"):
        return ""
    return f"CHECK (({expressions.spelled(definition.raw_expr)}))"


def _proven_not_null(definition: Node) -> str:
    """The column of CHECK (column IS NOT NULL), which spares SET NOT NULL its scan; else empty."""
    test = inner(definition.raw_expr)
    if test.DESCRIPTOR.name != "NullTest" or test.nulltesttype != pg.IS_NOT_NULL:
        return ""
    column = inner(test.arg)
    return names.bare(names.of_strings(column.fields)) if column.DESCRIPTOR.name == "ColumnRef" else ""


def add_column(relation: Relation, definition: Node) -> None:
    """A new column, with the constraints that stand beside it."""
    kinds = {item.constraint.contype for item in definition.constraints}
    not_null = bool(kinds & {pg.CONSTR_NOTNULL, pg.CONSTR_PRIMARY, pg.CONSTR_IDENTITY})
    name = definition.colname
    is_serial = names.bare(names.of_strings(definition.type_name.names)).endswith("serial")
    is_filled = is_serial or bool(kinds & {pg.CONSTR_DEFAULT, pg.CONSTR_IDENTITY, pg.CONSTR_GENERATED})
    column = Column(name, None, spell(definition.type_name), not_null, has_values=False, is_filled=is_filled)
    relation.columns[name] = column
    for item in definition.constraints:
        if item.constraint.contype in _CONSTRAINTS:
            add_constraint(relation, constraint_of(item.constraint, column=name))


def add_constraint(relation: Relation, constraint: ConstraintFacts) -> None:
    """A new constraint; one without a name cannot be named later either."""
    if constraint.name:
        relation.constraints[constraint.name] = constraint
