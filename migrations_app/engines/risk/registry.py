"""The rules, found in their folder, by the parse tree node that they want to see."""

from __future__ import annotations

import hashlib
import pkgutil
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import rules
from migrations_app.engines.risk.findings import Rule
from migrations_app.engines.risk.statements import Statement


def _discover() -> dict[str, Rule]:
    """Every rule by id. A module's name is its rule's id with underscores: one that differs is a mistake."""
    found: dict[str, Rule] = {}
    for module in sorted(pkgutil.iter_modules(rules.__path__), key=lambda module: module.name):
        rule: Rule = import_module(f"{rules.__name__}.{module.name}").RULE
        if rule.id != module.name.replace("_", "-"):
            raise ImportError(f"rules/{module.name}.py holds the rule {rule.id}")
        found[rule.id] = rule
    return found


RULES: Mapping[str, Rule] = _discover()

_BY_NODE: dict[str, tuple[Rule, ...]] = {
    node: tuple(rule for rule in RULES.values() if node in rule.nodes)
    for node in {node for rule in RULES.values() for node in rule.nodes}
}
ON_LOCK, ON_HELD, ON_REVISION, ON_REHEARSAL = (
    _BY_NODE.get(node, ()) for node in ("@lock", "@held", "@revision", "@rehearsal")
)
_BY_SUBCOMMAND: dict[int, tuple[Rule, ...]] = {
    number: _BY_NODE[name] for name, number in pg.AlterTableType.items() if name in _BY_NODE
}


def rules_for(statement: Statement) -> Sequence[Rule]:
    """The rules that want to see this statement, each once."""
    if statement.node_name != "alter_table_stmt":
        return _BY_NODE.get(statement.node_name, ())
    subtypes = [command.alter_table_cmd.subtype for command in statement.node.cmds]
    wanted = [rule for subtype in subtypes for rule in _BY_SUBCOMMAND.get(subtype, ())]
    return wanted if len(wanted) < 2 else list(dict.fromkeys(wanted))


def _version() -> str:
    """A hash over the engine's own sources: it changes exactly when a verdict may."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for source in sorted([*folder.rglob("*.py"), *folder.glob("*.txt")]):
        digest.update(source.relative_to(folder).as_posix().encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


RULESET_VERSION = _version()
