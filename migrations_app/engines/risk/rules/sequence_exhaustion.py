from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from migrations_app.engines.risk import names
from migrations_app.engines.risk.facts import SequenceFacts
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_Counter = tuple[str, str, SequenceFacts]
"""The sequence's name and the column that it fills."""
_SHARE = 0.7
_LARGEST = {"smallint": 2**15 - 1, "integer": 2**31 - 1}


def check(_statement: Statement, session: Session) -> Iterator[Hit]:
    if session.facts is None or not session.facts.sequences:
        return
    for touch in session.touches:
        relation = session.relation(touch.name)
        key = f"{RULE.id} {touch.name}"
        if relation.facts is None or key in session.told:
            continue
        session.told.add(key)
        for sequence, column, of in _counters(relation.facts.qualified, session):
            limit, last = _limit(of, relation.facts.columns.get(column)), of.last_value or 0
            if of.increment > 0 and last >= limit * _SHARE:
                message = f"{touch.name}.{column} has used {last / limit:.0%} of its numbers ({last:,} of {limit:,})"
                evidence = {"sequence": sequence, "last_value": last, "limit": limit}
                yield Hit(message, touch.name, column, evidence=evidence, values={"name": names.quoted(sequence)})


def _counters(table: str, session: Session) -> list[_Counter]:
    """The sequences that fill columns of the table."""
    by_table: dict[str, list[_Counter]] | None = session.worked_out.get(RULE.id)
    if by_table is None:
        by_table = session.worked_out[RULE.id] = defaultdict(list)
        for name, each in session.facts.sequences.items() if session.facts else ():
            for used in dict.fromkeys((each.owned_by, *each.used_by)):
                owner, _, column = (used or "").removeprefix("default of ").rpartition(".")
                by_table[owner].append((name, column, each))
    return by_table.get(table, [])


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
