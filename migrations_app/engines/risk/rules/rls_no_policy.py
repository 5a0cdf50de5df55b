from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk import evidence, names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    name = names.of_range(statement.node.relation)
    relation = session.relation(name)
    if not relation.is_existing or (
        relation.facts is not None and (relation.facts.policies or relation.facts.rls_enabled)
    ):
        return
    made = (each.node for each in session.statements if each.node_name == "create_policy_stmt")
    if not any(session.relation(names.of_range(node.table)) is relation for node in made):
        known = evidence.of_table(relation)
        why = "" if relation.facts else "Without a database to ask, policies that it may have already are not known."
        yield Hit(
            f"{name} gets row level security without a policy: nobody but its owner sees a row", name, None, why, known
        )


RULE = Rule(
    id="rls-no-policy",
    severity="hazard",
    nodes=("AT_EnableRowSecurity",),
    what="Row level security is switched on for a table without a policy.",
    why="Without a policy everything is denied: programs see an empty table, without an error, and their INSERT fails.",
    safe_way="In the same transaction, before it: CREATE POLICY {table_name}_all ON {table} USING (...) WITH CHECK"
    " (...); then ALTER TABLE {table} ENABLE ROW LEVEL SECURITY.",
    check=check,
)
