"""The functions of a target that a call may mean."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import statements
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement
from migrations_app.errors import TidegateError

_ONLY_OUT = (pg.FUNC_PARAM_OUT, pg.FUNC_PARAM_TABLE)


def taking(name: str, given: int, session: Session) -> list[Statement]:
    """The overloads of the target that take so many arguments, as their CREATE would be."""
    found = []
    for overload in session.facts.function(name) if session.facts else ():
        if overload.extension and overload.language in ("c", "internal"):
            continue
        made = created(overload.definition)
        if made is not None and _takes(made, given):
            found.append(made)
    return found


@lru_cache(maxsize=256)
def created(definition: str) -> Statement | None:
    """A function by its CREATE FUNCTION; None where the catalog could not give one."""
    with suppress(TidegateError, ValueError):
        (statement,) = statements.parse(definition)
        return statement
    return None


def _takes(made: Statement, given: int) -> bool:
    """Whether a call with so many arguments may mean this function: those with defaults may be left out."""
    parameters = [item.function_parameter for item in made.node.parameters]
    is_procedure = made.node.is_procedure
    taken = [each for each in parameters if is_procedure or each.mode not in _ONLY_OUT]
    least = sum(not each.HasField("defexpr") and each.mode != pg.FUNC_PARAM_VARIADIC for each in taken)
    is_open = any(each.mode == pg.FUNC_PARAM_VARIADIC for each in taken)
    return least <= given and (is_open or given <= len(taken))


def are_harmless(name: str, session: Session) -> bool:
    """An extension's own function in C that promises to change nothing; PostgreSQL's planner relies on that, too."""
    overloads = session.facts.function(name) if session.facts else ()
    return bool(overloads) and all(
        each.extension and each.language in ("c", "internal") and each.volatility in ("i", "s") for each in overloads
    )
