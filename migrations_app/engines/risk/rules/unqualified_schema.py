from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    if session.setting("search_path") is None or RULE.id in session.told or statement.inside:
        return
    node = statement.node
    if statement.node_name in ("create_stmt", "view_stmt", "create_seq_stmt"):
        made = {"create_stmt": "relation", "view_stmt": "view", "create_seq_stmt": "sequence"}[statement.node_name]
        target = getattr(node, made)
        name = "" if target.relpersistence == "t" else names.of_range(target)
    else:
        name = names.of_strings(node.funcname if statement.node_name == "create_function_stmt" else node.type_name)
    if name and "." not in name:
        session.told.add(RULE.id)
        schema = session.search_path[0] if session.search_path else "no schema at all"
        message = f"{name} is made wherever the search_path of this input points: {schema}"
        yield Hit(message, values={"name": names.quoted(f"{schema}.{name}") if session.search_path else "schema.name"})


RULE = Rule(
    id="unqualified-schema",
    severity="advice",
    nodes=("create_stmt", "view_stmt", "create_seq_stmt", "create_enum_stmt", "create_function_stmt"),
    what="Something is made in whatever schema the changed search_path names first.",
    why="A setting that an earlier statement left behind, a pooled connection, or a part of the input that is run alone"
    " puts it into another schema, where nobody looks for it.",
    safe_way="Say the schema: CREATE ... {name} ...",
    check=check,
)
