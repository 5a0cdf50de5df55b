"""What stands on a table or a column at this point of the input, in words, by the catalog's pg_depend."""

from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.session import Relation, Session
from migrations_app.engines.risk.statements import Statement

_READ = ("view ", "materialized view ", "table ", "child table ", "foreign table ")
_GOES_ANYWAY = ("index ", "default of ", "sequence ")
_CONSTRAINTS = ("primary key ", "unique constraint ", "exclusion constraint ", "check constraint ", "not-null ")


def of_relation(relation: Relation, statement: Statement, session: Session) -> Iterator[str]:
    """What only CASCADE drops with the relation, and neither this input nor this DROP drops by name."""
    if relation.facts is None:
        return
    named = {session.qualified(names.of_object(item)) for item in statement.node.objects}
    # A partition goes with its parent in any case, and the rows are what the rule about the table speaks of.
    told = [words for words in relation.facts.dependents if not words.startswith("partition ")]
    for words in told:
        if is_there(words, session) and _bearer(words) not in named:
            yield words
    for child in relation.facts.referenced_by:
        known = any(words.startswith("foreign key ") and words.endswith(f" of {child}") for words in told)
        if not known and child not in named and not session.relation(child).is_absent:
            yield f"foreign key of {child}"


def of_column(relation: Relation, name: str) -> Iterator[str]:
    """What stands on the column and does not go with it in any case, as its own indexes and constraints do."""
    origin = relation.column(name).origin
    if relation.facts is None or origin is None:
        return
    own = f" of {relation.facts.qualified}"
    for words in relation.facts.column_dependents.get(origin, ()):
        is_own = words.startswith((*_CONSTRAINTS, "foreign key ")) and words.endswith(own)
        if not is_own and not words.startswith(_GOES_ANYWAY):
            yield words


def is_there(words: str, session: Session) -> bool:
    """Whether the input has not dropped what these words speak of, or the table that bears it."""
    relation = session.relation(_bearer(words)) if " of " in words or words.startswith(_READ) else None
    if relation is None:
        return True
    key = words.removeprefix("foreign key ").rpartition(" of ")[0]
    return not relation.is_absent and not (key in relation.constraints and relation.constraints[key] is None)


def _bearer(words: str) -> str:
    """The relation that "view public.v" and "foreign key k of public.t" speak of."""
    kind = next((kind for kind in _READ if words.startswith(kind)), None)
    return words.removeprefix(kind) if kind else words.rpartition(" of ")[2]
