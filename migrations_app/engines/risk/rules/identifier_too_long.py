from __future__ import annotations

import re
from collections.abc import Iterator

from migrations_app.engines.risk.findings import Hit, Rule
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_MOST = 63
_LONG = re.compile(r"[\w$]{32}|\"[^\"]{32}")
"""Most statements hold no name so long, in letters of at most two bytes."""
_NAME = re.compile(r'"((?:[^"]|"")+)"|([^\W\d][\w$]*)')
_NO_NAMES = re.compile(r"--[^\n]*|/\*.*?\*/|\$(\w*)\$.*?\$\1\$|'(?:[^']|'')*'", re.DOTALL)


def check(statement: Statement, session: Session) -> Iterator[Hit]:
    sql = statement.sql
    if len(sql.encode()) <= _MOST or statement.inside or not _LONG.search(sql):
        return
    for match in _NAME.finditer(_NO_NAMES.sub(" ", sql)):
        name = match[1] or match[2]
        if len(name.encode()) > _MOST and name not in session.told:
            session.told.add(name)
            cut = name.encode()[:_MOST].decode(errors="ignore")
            yield Hit(f"The name {name} has {len(name.encode())} bytes and becomes {cut}", values={"name": cut})


RULE = Rule(
    id="identifier-too-long",
    severity="advice",
    nodes=(
        "create_stmt", "index_stmt", "view_stmt", "rename_stmt", "AT_AddColumn", "AT_AddConstraint", "create_trig_stmt",
        "create_function_stmt", "create_seq_stmt", "create_enum_stmt",
    ),
    what="A name is longer than 63 bytes and is cut off.",
    why="PostgreSQL only gives a notice. Code that looks the object up by its whole name does not find it, and two"
    " names that begin alike become the same.",
    safe_way="Choose a name of at most 63 bytes; in SQLAlchemy a naming_convention, or name=... of the constraint. Cut"
    " off it is {name}.",
    check=check,
)  # fmt: skip
