"""Makes PL/pgSQL tell what it puts together: each `EXECUTE expression` is sent through the recorder of the copy.

The recorder (`RECORDER`, made in every scratch database) says the text as a message and gives it back unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import postgast

# INFO reaches the client whatever client_min_messages says, and a failing transaction does not take it back.
RECORDER = """
CREATE SCHEMA IF NOT EXISTS tidegate;
GRANT USAGE ON SCHEMA tidegate TO PUBLIC;
CREATE OR REPLACE FUNCTION tidegate.rehearsed(said text) RETURNS text LANGUAGE plpgsql AS $tidegate$
BEGIN
    RAISE INFO 'tidegate-dynamic:%;', replace(encode(convert_to(coalesce(said, ''), 'UTF8'), 'base64'), E'\\n', '');
    RETURN said;
END $tidegate$
"""
OPEN, CLOSE = "tidegate.rehearsed((", ")::text)"
QUOTE = "$tidegate_body$"
CODE, RUNS = re.compile(r"\b(DO|FUNCTION|PROCEDURE)\b", re.IGNORECASE), re.compile(r"\bEXECUTE\b", re.IGNORECASE)
BLOCK = re.compile(r"[\s(]*DO\b", re.IGNORECASE)
# What stands before EXECUTE where it runs a text: the start of a statement, RETURN QUERY, FOR ... IN, OPEN ... FOR.
BEFORE = frozenset({"", ";", "BEGIN", "THEN", "ELSE", "LOOP", ">>", "QUERY", "IN", "FOR"})
AFTER = frozenset({";", "INTO", "USING", "LOOP"})


@dataclass(frozen=True)
class Token:
    """One token of SQL; its place counts bytes of the UTF-8 form."""

    start: int
    end: int
    text: str

    @property
    def word(self) -> str:
        return self.text.upper()


def traced(sql: str) -> str:
    """The same SQL with every dynamic EXECUTE in DO blocks and in PL/pgSQL routines that it makes sent through the
    recorder. What cannot be read comes back as it is: the server will say what is wrong with it."""
    if not _may_build_sql(sql):
        return sql
    try:
        edits = [edit for statement in _statements(_tokens(sql)) for edit in _bodies(statement)]
    except postgast.PgQueryError:
        return sql
    return _replaced(sql, edits)


def opaque(sql: str) -> str:
    """What of the statement no recorder can follow, in words; empty when there is nothing of the kind."""
    if not BLOCK.match(sql) and not _may_build_sql(sql):
        return ""
    try:
        statements = [statement for statement in _statements(_tokens(sql)) if _makes_code(statement)]
    except postgast.PgQueryError:
        return "it has code that Tidegate cannot read"
    for statement in statements:
        if statement[0].word == "DO" and _language(statement) != "plpgsql":
            return f"it has a block of {_language(statement)}, which may run anything"
        escaped = [t.text for t in statement if t.text[:1].upper() in ("E", "U") and t.text.endswith("'")]
        if any("EXECUTE" in text.upper() for text in escaped):
            return "it has code in a string with escapes, which Tidegate does not read"
    return ""


def traced_body(body: str) -> str:
    """The same for the text of one PL/pgSQL body."""
    tokens = _tokens(body)
    edits: list[tuple[int, int, str]] = []
    for at, token in enumerate(tokens):
        if token.word == "EXECUTE" and (tokens[at - 1].word if at else "") in BEFORE:
            expression = _expression(tokens[at + 1 :])
            if expression:
                edits += [(expression[0].start, expression[0].start, OPEN), (expression[-1].end,) * 2 + (CLOSE,)]
    return _replaced(body, edits)


def _may_build_sql(sql: str) -> bool:
    return bool(RUNS.search(sql) and CODE.search(sql))


def _tokens(sql: str) -> list[Token]:
    raw = sql.encode()
    found = (Token(t.start, t.end, raw[t.start : t.end].decode(errors="replace")) for t in postgast.scan(sql).tokens)
    return [token for token in found if not token.text.startswith(("--", "/*"))]


def _statements(tokens: Iterable[Token]) -> Iterator[list[Token]]:
    """A routine in the form BEGIN ATOMIC ... END falls apart here; it cannot hold dynamic SQL."""
    statement: list[Token] = []
    for token in tokens:
        if token.text == ";":
            yield statement
            statement = []
        else:
            statement.append(token)
    yield statement


def _bodies(statement: Sequence[Token]) -> Iterator[tuple[int, int, str]]:
    if not _makes_code(statement) or _language(statement) != "plpgsql":
        return
    for token in statement:
        body = _unquoted(token.text)
        if body is not None and "EXECUTE" in body.upper():
            changed = traced_body(body)
            if changed != body:
                yield token.start, token.end, f"{QUOTE}{changed}{QUOTE}"


def _makes_code(statement: Sequence[Token]) -> bool:
    words = [token.word for token in statement[:4]]
    is_routine = words[:1] == ["CREATE"] and any(word in ("FUNCTION", "PROCEDURE") for word in words[1:])
    return words[:1] == ["DO"] or is_routine


def _language(statement: Sequence[Token]) -> str:
    for at, token in enumerate(statement[:-1]):
        if token.word == "LANGUAGE":
            name = statement[at + 1].text
            return (_unquoted(name) or name).strip('"').lower()
    return "plpgsql"  # that of a DO block which names none


def _unquoted(constant: str) -> str | None:
    """What a string constant holds; None when it is none, or one with escapes of the E'' kind."""
    if constant.startswith("$"):
        tag = re.match(r"\$[^$\s]*\$", constant)
        return constant[tag.end() : -tag.end()] if tag and len(constant) >= 2 * tag.end() else None
    if constant.startswith("'") and constant.endswith("'") and len(constant) > 1:
        return constant[1:-1].replace("''", "'")
    return None


def _expression(tokens: Sequence[Token]) -> Sequence[Token]:
    depth = 0
    for at, token in enumerate(tokens):
        if depth == 0 and token.word in AFTER:
            return tokens[:at]
        depth += (token.text in ("(", "[")) - (token.text in (")", "]"))
    return ()  # it never ends: not something that the server would take


def _replaced(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    raw, at, parts = text.encode(), 0, []
    for start, end, new in edits:
        parts += [raw[at:start], new.encode()]
        at = end
    return b"".join([*parts, raw[at:]]).decode()
