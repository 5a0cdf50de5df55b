from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import drops, names
from migrations_app.engines.risk.effects import on_table
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if statement.node_name == "drop_stmt":
        for item in node.objects:
            table, _, policy = names.of_object(item).rpartition(".")
            yield from _of_policy(policy, table, statement, session)
    elif statement.node_name == "alter_policy_stmt":
        yield from _of_policy(node.policy_name, names.of_range(node.table), statement, session)
    else:
        name = names.of_range(node.relation)
        relation = session.relation(name)
        is_off = relation.facts is not None and not relation.facts.rls_enabled
        if not relation.is_existing or is_off:
            return
        for item in node.cmds:
            if item.alter_table_cmd.subtype == pg.AT_DisableRowSecurity:
                yield Hit(f"Row level security of {name} is switched off: everybody with SELECT sees every row", name)
            elif item.alter_table_cmd.subtype == pg.AT_NoForceRowSecurity:
                yield Hit(f"The owner of {name} is no longer held to its policies", name)


def _of_policy(policy: str, table: str, statement: Statement, session: Session) -> Iterator[Hit]:
    relation = session.relation(table)
    if not relation.is_existing or session.made_here("policy", on_table(policy, table)):
        return
    if relation.facts is not None and policy not in relation.facts.policies:
        return
    is_off = relation.facts is not None and not relation.facts.rls_enabled
    again = statement.node_name == "drop_stmt" and any(
        each.node.policy_name == policy and names.of_range(each.node.table) == table
        for each in drops.later(statement, session, "create_policy_stmt")
    )
    done = "changed" if statement.node_name == "alter_policy_stmt" else "dropped and made anew" if again else "dropped"
    message = f"The policy {policy} of {table} is {done}: other rows can be seen and written than before"
    values = {"name": names.quoted(policy)}
    yield Hit(message, table, severity="advice" if is_off or again else None, values=values)


RULE = Rule(
    id="rls-weakened",
    severity="hazard",
    nodes=("AT_DisableRowSecurity", "AT_NoForceRowSecurity", "drop_stmt/OBJECT_POLICY", "alter_policy_stmt"),
    what="Row level security is switched off, or a policy is dropped or changed.",
    why="What one tenant or user may see of the others' rows hangs on it; no error tells when it is too much.",
    safe_way="Make the new policy first (CREATE POLICY {name}_new ON {table} ...), drop the old one in the same"
    " transaction, and try both as each role: SET ROLE ...; SELECT count(*) FROM {table}. Leave ROW LEVEL SECURITY on.",
    check=check,
)
