from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.facts import Facts, SequenceFacts
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_SHARE = 0.7
_LARGEST = {"smallint": 2**15 - 1, "integer": 2**31 - 1}


def check(_statement: Statement, session: Session) -> Iterator[Hit]:
    facts = session.facts
    if facts is None or not facts.sequences:
        return
    for touch in session.touches:
        relation = session.relation(touch.name)
        key = f"{RULE.id} {touch.name}"
        if relation.facts is None or key in session.told:
            continue
        session.told.add(key)
        for sequence, column, of in _counters(relation.facts.qualified, facts):
            limit, last = _limit(of, relation.facts.columns.get(column)), of.last_value or 0
            if of.increment > 0 and last >= limit * _SHARE:
                message = f"{touch.name}.{column} has used {last / limit:.0%} of its numbers ({last:,} of {limit:,})"
                evidence = {"sequence": sequence, "last_value": last, "limit": limit}
                yield Hit(message, touch.name, column, evidence=evidence, values={"name": names.quoted(sequence)})


def _counters(table: str, facts: Facts) -> Iterator[tuple[str, str, SequenceFacts]]:
    """The sequences that fill columns of the table, each with its column."""
    for name, each in facts.sequences.items():
        for used in dict.fromkeys((each.owned_by, *each.used_by)):
            owner, _, column = (used or "").removeprefix("default of ").rpartition(".")
            if owner == table:
                yield name, column, each


def _limit(sequence: SequenceFacts, column: object) -> int:
    """The last number that both the sequence and its column can hold."""
    of_column = _LARGEST.get(getattr(column, "type", ""), 2**63 - 1)
    return min(sequence.max_value or 2**63 - 1, of_column)


RULE = Rule(
    id="sequence-exhaustion",
    severity="advice",
    nodes=("@lock",),
    what="The numbers of a table that is changed are running out.",
    why="When they end, every INSERT fails at once. Changing integer to bigint then rewrites the table while nobody can"
    " use it; now there is time to do it online.",
    safe_way="ALTER TABLE {table} ADD COLUMN {column}_new bigint; keep it filled by a trigger; fill old rows by a"
    " chunked backfill; then swap the columns and ALTER SEQUENCE {name} AS bigint.",
    check=check,
)
