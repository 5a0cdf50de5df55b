from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    name = names.of_strings(node.type_name)
    if not node.old_val or session.made_here("type", name):
        return
    known = session.facts.type_of(name) if session.facts else None
    if session.facts is not None and (known is None or not known.columns):
        return
    values = {"name": names.quoted(name)}
    message = f"The label {node.old_val!r} of {name} is renamed to {node.new_val!r}"
    if known is None:
        yield Hit(message, values=values)
        return
    why = f"It is the type of {', '.join(known.columns)}."
    spelled = f"'{node.old_val}'"
    bodies = [each for each in _all_functions(session) if spelled in each[1]]
    if bodies:
        why += f" The text {spelled} stands in the body of {', '.join(dict.fromkeys(name for name, _ in bodies))}."
    yield Hit(message, why=why, evidence={"columns": list(known.columns)}, values=values)


def _all_functions(session: Session) -> Iterator[tuple[str, str]]:
    for overloads in session.facts.functions.values() if session.facts else ():
        yield from ((each.qualified, each.definition) for each in overloads)


RULE = Rule(
    id="rename-enum-value",
    severity="hazard",
    nodes=("alter_enum_stmt",),
    what="A label of an enum that programs read and write gets another name.",
    why="Rows, defaults and views follow. Code, and bodies of functions, that compare with the old label or write it"
    " fail from that moment (22P02), and code that is still running meets a label which it does not know.",
    safe_way="ALTER TYPE {name} ADD VALUE the new label, in a revision of its own; release code that reads both; then"
    " code that writes the new one; move the rows over in batches.",
    check=check,
)
