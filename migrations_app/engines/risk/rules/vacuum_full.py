from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import burden, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_OFF = ("false", "off", "0")


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if not any(option.def_elem.defname == "full" and _is_on(option.def_elem) for option in node.options):
        return
    if not node.rels:
        yield Hit("VACUUM FULL rewrites every table of the database, one after the other")
    for item in node.rels:
        name = names.of_range(item.vacuum_relation.relation)
        relation = session.relation(name)
        if burden.is_felt(relation):
            yield burden.hit(name, relation, f"VACUUM FULL writes {name} anew")


def _is_on(option: Node) -> bool:
    """FULL, FULL true and FULL 1, but not FULL false."""
    if not option.HasField("arg"):
        return True
    argument = names.inner(option.arg)
    value = argument.ival if argument.DESCRIPTOR.name == "Integer" else getattr(argument, "sval", "")
    return str(value).lower() not in _OFF


RULE = Rule(
    id="vacuum-full",
    severity="hazard",
    nodes=("vacuum_stmt",),
    what="VACUUM FULL rewrites a table.",
    why="ACCESS EXCLUSIVE is held while the table and all its indexes are written anew: nobody reads or writes, and as"
    " much disk again is needed.",
    safe_way="VACUUM (ANALYZE) {table} makes dead space usable again beside all users. To give disk back use pg_repack"
    " or pg_squeeze, which lock {table} only to swap; or do it in a maintenance window.",
    check=check,
)
