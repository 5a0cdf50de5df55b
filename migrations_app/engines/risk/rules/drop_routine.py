from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import drops, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    for item in statement.node.objects:
        name = names.of_object(item)
        known = drops.routines(item, session)
        if session.made_here("function", name) or known == ():
            continue
        uses = [used for each in known or () for used in each.dependents]
        evidence = {"used_by": uses} if uses else {}
        why = f"In use by {', '.join(uses)}." if uses else ""
        values = {"name": names.quoted(name)}
        again = any(
            names.bare(names.of_strings(each.node.funcname)) == names.bare(name)
            for each in drops.later(statement, session, "create_function_stmt")
        )
        if again:
            message = f"{name}() is dropped and made anew: what was granted on it is gone"
            yield Hit(message, why=why, evidence=evidence, severity="advice", values=values)
        else:
            yield Hit(f"{statement.kind} removes {name}()", why=why, evidence=evidence, values=values)


RULE = Rule(
    id="drop-routine",
    severity="hazard",
    nodes=tuple(f"drop_stmt/OBJECT_{kind}" for kind in ("FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE")),
    what="A function, procedure or aggregate is dropped.",
    why="Programs and other functions that call it fail from that moment; PostgreSQL does not know of calls inside"
    " function bodies, so it does not refuse.",
    safe_way="Search the code and pg_proc.prosrc for calls of {name} first, and release code without them. To change"
    " it, CREATE OR REPLACE FUNCTION {name} keeps its privileges and what depends on it.",
    check=check,
)
