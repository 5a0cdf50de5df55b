"""The rules, found in their folder, by the parse tree node that they want to see."""

from __future__ import annotations

import hashlib
import pkgutil
from collections.abc import Iterable, Mapping
from importlib import import_module
from pathlib import Path

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import rules
from migrations_app.engines.risk.findings import Rule
from migrations_app.engines.risk.names import Node
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

_SUBCOMMANDS = {number: name for name, number in pg.AlterTableType.items()}
_OBJECTS = {number: name for name, number in pg.ObjectType.items()}
_CONSTRAINTS = {number: name for name, number in pg.ConstrType.items()}
_COLUMN, _CONSTRAINT = pg.AT_AddColumn, pg.AT_AddConstraint


class Dispatch:
    """Some rules, by what they want to see. A statement meets only those that want its kind."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._by_node: dict[str, tuple[Rule, ...]] = {}
        for rule in rules:
            for node in rule.nodes:
                self._by_node[node] = (*self._by_node.get(node, ()), rule)
        self._by_facets: dict[tuple[str, ...], tuple[Rule, ...]] = {}
        self.on_lock, self.on_held, self.on_revision, self.on_rehearsal, self.on_loops = (
            self._by_node.get(node, ()) for node in ("@lock", "@held", "@revision", "@rehearsal", "@loops")
        )

    def rules_for(self, statement: Statement) -> tuple[Rule, ...]:
        """The rules that want to see this statement, each once."""
        name = statement.node_name
        if name == "alter_table_stmt":
            facets: list[str] = []
            for command in statement.node.cmds:
                facets.extend(_facets(command.alter_table_cmd))
            return self._wanting(tuple(facets))
        if name == "drop_stmt":
            return self._wanting((name, f"{name}/{_OBJECTS[statement.node.remove_type]}"))
        if name == "rename_stmt":
            return self._wanting((name, f"{name}/{_OBJECTS[statement.node.rename_type]}"))
        return self._by_node.get(name, ())

    def _wanting(self, facets: tuple[str, ...]) -> tuple[Rule, ...]:
        found = self._by_facets.get(facets)
        if found is None:
            wanted = (rule for facet in facets for rule in self._by_node.get(facet, ()))
            found = self._by_facets[facets] = tuple(dict.fromkeys(wanted))
        return found


def _facets(command: Node) -> list[str]:
    """ "AT_AddColumn", "AT_AddColumn/CONSTR_DEFAULT", ...: a rule about defaults need not look at plain columns."""
    kind = command.subtype
    name = _SUBCOMMANDS[kind]
    if kind == _CONSTRAINT:
        return [name, f"{name}/{_CONSTRAINTS[getattr(command, 'def').constraint.contype]}"]
    if kind == _COLUMN:
        parts = getattr(command, "def").column_def.constraints
        return [name, *(f"{name}/{_CONSTRAINTS[part.constraint.contype]}" for part in parts)]
    return [name]


EVERY = Dispatch(RULES.values())
SERIOUS = Dispatch(rule for rule in RULES.values() if rule.severity != "advice")
"""For inputs of thousands of statements, where advice would bury the dangers."""


def _version() -> str:
    """A hash over the engine's own sources: it changes exactly when a verdict may."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for source in sorted([*folder.rglob("*.py"), *folder.glob("*.txt")]):
        digest.update(source.relative_to(folder).as_posix().encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


RULESET_VERSION = _version()
