"""postgast on input that somebody else wrote: no depth of nesting may end this process or hold it up for minutes.

libpg_query recurses in C. `1+1+1+...` is parsed without a word and then overflows the stack when the tree is written
out, which kills the process: measured at 25,000 operators on the usual 8 MB; 400,000 take minutes. So the operators of
each statement are counted first, roughly and fast.
"""

from __future__ import annotations

import re

import postgast

# The stub of protobuf's internals is not installed, and nothing else of them is used.
from google.protobuf.internal import api_implementation  # type: ignore[import-untyped]  # protobuf ships no stubs

from migrations_app.engines.risk.names import Node
from migrations_app.errors import TooLarge

# protobuf refuses trees of more than 100 levels, which is a view of 45 joins or 60 strings put together. Its only way
# to allow more is this switch, which it shows to programs nowhere else.
_upb = getattr(api_implementation, "_c_module", None)
if _upb is not None:
    _upb.SetAllowOversizeProtos(True)

MOST_OPERATORS = 10_000
"""In one statement. A person could not read it either."""
# Below this a text cannot hold that many: the shortest operator with its operand is two characters.
_SHORT_CHARS = 2 * MOST_OPERATORS
_QUOTED = re.compile(r"'[^']*'|\$(\w*)\$.*?\$\1\$|--[^\n]*|/\*.*?\*/|\"[^\"]*\"", re.DOTALL)
# Signed numbers and casts of one value among others nest nothing: long lists of VALUES are full of them.
_FLAT = re.compile(r"(?<=[,(])\s*-?[\d.]+|\x01\s*::\s*\w+(?=\s*[,)])")
_OPERATOR = re.compile(
    r"[-+*/<>=|&^%~!@#?:.\[]+|\b(?:is|not|and|or|at|collate|i?like|union|except|intersect|join|in|between)\b",
    re.IGNORECASE,
)


def parse(text: str) -> Node:
    """The parse tree. Raises postgast's PgQueryError for wrong SQL, TooLarge for more than `MOST_OPERATORS`."""
    if len(text) > _SHORT_CHARS:
        # The scanner does not recurse, and refuses what the parser would refuse anyway.
        for statement in postgast.split(text, method="scanner"):
            if len(statement) > _SHORT_CHARS:
                _refuse_too_deep(statement)
    return postgast.parse(text)


def _refuse_too_deep(statement: str) -> None:
    operators = len(_OPERATOR.findall(_FLAT.sub("", _QUOTED.sub("\x01", statement))))
    if operators > MOST_OPERATORS:
        raise TooLarge(
            f"One statement has about {operators:,} operators; at most {MOST_OPERATORS:,} can be judged."
            " Split it into several statements."
        )
