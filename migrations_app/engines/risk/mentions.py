"""Where text that PostgreSQL keeps no dependencies of names a table or a column: bodies of functions, statements seen.

A text is looked at by words, not parsed: bodies put SQL together from strings, and a statement may be cut off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from migrations_app.engines.risk import drops, names
from migrations_app.engines.risk.facts import FunctionFacts, TableFacts
from migrations_app.engines.risk.session import Session
from migrations_app.engines.risk.statements import Statement

_COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
_BODY = re.compile(r"\bAS\s+(\$\w*\$)(.*)\1", re.DOTALL)
_DML = re.compile(r"\s*(select|insert|update|delete|merge|with|copy|declare)\b", re.IGNORECASE)
_NO_ALIAS = {
    "where", "set", "on", "join", "left", "right", "inner", "cross", "full", "natural", "group", "order", "limit",
    "values", "select", "returning", "using", "for", "union", "loop", "default", "having", "offset", "fetch", "window",
    "then", "end", "into", "if", "do", "when", "except", "intersect", "tablesample", "lateral",
}  # fmt: skip


@lru_cache(maxsize=2048)
def _words(text: str) -> str:
    """Without comments and quotes of names, in lower case."""
    return _COMMENT.sub(" ", text).replace('"', "").lower()


@lru_cache(maxsize=256)
def _naming(schema: str, table: str) -> re.Pattern[str]:
    """The table where a statement names it, with its alias; a name of its row type or of a column's type, too."""
    name = f"(?:{re.escape(schema.lower())}\\s*\\.\\s*)?{re.escape(table.lower())}"
    place = r"(?:\b(?:from|join|into|update|only|using|table|references|copy)\s+|,\s*)"
    return re.compile(rf"{place}{name}(?![\w$.])(?:\s+(?:as\s+)?([a-z_]\w*))?|\b{name}(?:\.\w+)?%(?:row)?type\b")


def names_table(text: str, table: TableFacts) -> bool:
    """Whether the text reads or writes the table."""
    words = _words(text)
    return table.name.lower() in words and _naming(table.schema, table.name).search(words) is not None


def names_column(text: str, table: TableFacts, column: str, *, of_row: bool = False) -> bool:
    """Whether it names the column, by itself or behind the table or an alias of it.

    `of_row`: NEW and OLD are rows of the table, as in the function of a trigger on it; then it need not be named.
    """
    words = _words(text)
    if column.lower() not in words:
        return False
    found = list(_naming(table.schema, table.name).finditer(words))
    owners = {"new", "old"} if of_row else set()
    if found:
        owners |= {table.name.lower(), *(match[1] for match in found if match[1] and match[1] not in _NO_ALIAS)}
    place = re.compile(rf"(?:([\w$]+)\s*\.\s*)?(?<![\w$]){re.escape(column.lower())}(?![\w$]|\s*\()")
    return any(match[1] in owners if match[1] else bool(found) for match in place.finditer(words))


def functions(table: TableFacts, column: str | None, session: Session) -> list[str]:
    """The functions whose bodies are only text and name the table, or a column of it, and which this input leaves.

    A body in SQL's own syntax (BEGIN ATOMIC, RETURN) has rows in pg_depend: PostgreSQL follows a rename in it, and
    refuses a DROP.
    """
    serving = {trigger.function for trigger in table.triggers}
    found = [each for each in _candidates(session) if _reads(each, table, column, of_row=each.qualified in serving)]
    if not found:
        return []
    changed = set(_changed(session.statements))
    return list(dict.fromkeys(each.qualified for each in found if each.name not in changed))


def _candidates(session: Session) -> Iterator[FunctionFacts]:
    for overloads in session.facts.functions.values() if session.facts else ():
        yield from (each for each in overloads if each.extension is None)


def _reads(function: FunctionFacts, table: TableFacts, column: str | None, *, of_row: bool) -> bool:
    found = _BODY.search(function.definition)
    if found is None:
        return False
    body = found[2]
    return names_table(body, table) if column is None else names_column(body, table, column, of_row=of_row)


def _changed(statements: Sequence[Statement]) -> Iterator[str]:
    """The bare names of the functions that the input makes anew or drops."""
    for each in statements:
        if each.node_name == "create_function_stmt":
            yield names.bare(names.of_strings(each.node.funcname))
        elif each.node_name == "drop_stmt" and each.node.remove_type in drops.ROUTINES:
            yield from (names.bare(names.of_object(item)) for item in each.node.objects)


def queries(table: TableFacts, column: str | None, session: Session) -> list[tuple[str, int]]:
    """The statements of programs, by pg_stat_statements, that name the table or a column of it, with their calls."""
    return [
        (text, calls)
        for text, calls in (session.facts.queries if session.facts else ())
        if _DML.match(text) and (names_table(text, table) if column is None else names_column(text, table, column))
    ]
