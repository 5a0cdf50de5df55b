from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.facts import FunctionFacts
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.names import Node
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_VOLATILITY = {"i": "immutable", "s": "stable", "v": "volatile"}
_STORED = ("index ", "generated column ", "check constraint ", "materialized view ", "domain constraint ")
"""What keeps results of the function."""


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    name = names.of_strings(node.funcname)
    key = f"{RULE.id} {name}"
    if not node.replace or key in session.told or session.made_here("function", name):
        return
    session.told.add(key)
    known = session.facts.function(name) if session.facts else ()
    # One of an earlier revision, when there is no catalog.
    made = session.functions.get(names.bare(name)) if session.facts is None else None
    counts = [len(made.node.parameters)] if made is not None else [_arguments(each) for each in known]
    if len(node.parameters) in counts:
        yield Hit(f"The body of {name} is replaced", why=" ".join(_changes(node, known)), values={"name": name})


def _arguments(function: FunctionFacts) -> int:
    depth, parts = 0, 1 if function.arguments else 0
    for letter in function.arguments:
        depth += {"(": 1, ")": -1}.get(letter, 0)
        parts += letter == "," and depth == 0
    return parts


def _changes(node: Node, known: tuple[FunctionFacts, ...]) -> Iterator[str]:
    if len(known) != 1:
        return
    (before,) = known
    volatility = next(
        (item.def_elem.arg.string.sval for item in node.options if item.def_elem.defname == "volatility"), "volatile"
    )
    if volatility != _VOLATILITY[before.volatility]:
        yield f"It was {_VOLATILITY[before.volatility]} and becomes {volatility}."
    is_definer = any(item.def_elem.defname == "security" and item.def_elem.arg.boolean.boolval for item in node.options)
    if before.security_definer and not is_definer:
        yield "It was SECURITY DEFINER and is so no longer: it runs with the rights of its caller."
    if before.settings and not any(item.def_elem.defname == "set" for item in node.options):
        yield f"Its settings are lost: {', '.join(before.settings)}."
    stored = [words for words in before.dependents if words.startswith(_STORED)]
    if stored:
        yield f"Results of the old body stay in {', '.join(stored)}."


RULE = Rule(
    id="replace-routine",
    severity="advice",
    nodes=("create_function_stmt",),
    what="A function or procedure that is in use gets another body.",
    why="Every caller, triggers too, runs the new body from the commit on. What the statement does not say again"
    " (volatility, SECURITY DEFINER, SET) falls back to its default, and what indexes and stored columns took from the"
    " old body stays.",
    safe_way="Keep the old body where the downgrade finds it; say volatility, SECURITY DEFINER and SET of {name} again;"
    " after a change of results REINDEX what uses it. For another behaviour make a function of another name.",
    check=check,
)
