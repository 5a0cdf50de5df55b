from __future__ import annotations

from collections.abc import Iterator

from postgast import pg_query_pb2 as pg

from migrations_app.engines.risk import names
from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    node = statement.node
    if statement.node_name == "alter_publication_stmt":
        if node.action in (pg.AP_DropObjects, pg.AP_SetObjects) and _exists(node.pubname, session):
            word = "leave" if node.action == pg.AP_DropObjects else "replace those in"
            tables = [names.of_range(item.publication_obj_spec.pubtable.relation) for item in node.pubobjects]
            message = (
                f"Tables {word} the publication {node.pubname}: subscribers no longer get the changes of the others"
            )
            if node.action == pg.AP_DropObjects:
                message = (
                    f"{', '.join(tables)} leaves the publication {node.pubname}: subscribers no longer get its changes"
                )
            yield Hit(message, severity="hazard", evidence={"tables": tables}, values=_named(node.pubname))
        return
    for item in node.objects:
        name = names.of_object(item)
        if _exists(name, session):
            published = (
                [table.qualified for table in session.facts.tables.values() if name in table.publications]
                if session.facts
                else []
            )
            yield Hit(
                f"The publication {name} is dropped: its subscribers no longer get changes",
                evidence={"tables": published} if published else {},
                values=_named(name),
            )


def _exists(name: str, session: Session) -> bool:
    return not session.made_here("publication", name) and (session.facts is None or name in session.facts.publications)


def _named(name: str) -> dict[str, str]:
    return {"name": names.quoted(name)}


RULE = Rule(
    id="drop-publication",
    severity="danger",
    nodes=("drop_stmt/OBJECT_PUBLICATION", "alter_publication_stmt"),
    what="A publication is dropped, or tables leave it.",
    why="Replicas and pipelines that subscribe stop with an error or miss changes in silence; what they missed comes"
    " back only by copying every table to them again.",
    safe_way="Find the consumers (SELECT * FROM pg_stat_replication, pg_replication_slots), have each one stop and drop"
    " its subscription, and only then DROP PUBLICATION {name}.",
    check=check,
)
