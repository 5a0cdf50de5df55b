from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    name = node.setstmt.name or "all settings"
    evidence = {"setting": name}
    if statement.node_name == "alter_system_stmt":
        yield Hit(f"ALTER SYSTEM changes {name} for the whole server, all its databases", evidence=evidence)
    elif statement.node_name == "alter_database_set_stmt":
        yield Hit(f"{name} of every new session in the database {node.dbname} changes", evidence=evidence)
    elif not (node.HasField("role") and session.made_here("role", node.role.rolename)):
        who = node.role.rolename if node.HasField("role") else ""
        message = f"{name} of every new session of {who or 'this role'} changes"
        yield Hit(message, evidence=evidence)


RULE = Rule(
    id="alter-system",
    severity="hazard",
    nodes=("alter_system_stmt", "alter_role_set_stmt", "alter_database_set_stmt"),
    what="A setting of the server, of a role or of a database is changed for good.",
    why="It is not part of the schema: other databases or other programs feel it, a downgrade does not take it back,"
    " and sessions that are open now keep the old value, so that it shows only later.",
    safe_way="Change settings where the server is configured, by the people who run it. If only this revision needs it:"
    " SET LOCAL, which ends with its transaction.",
    check=check,
)
