"""Code as people read it: coloured by Pygments' lexers, byte for byte, with what cannot be seen made visible.

Text that reads differently from how it runs (bidirectional overrides, zero-width characters: CVE-2021-42574) is shown
as a box with the character's code point. Nothing is re-formatted.
"""

from __future__ import annotations

import re
import unicodedata

from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from pygments.lexer import Lexer  # type: ignore[import-untyped]  # no stubs are installed
from pygments.lexers.python import PythonLexer  # type: ignore[import-untyped]  # no stubs are installed
from pygments.lexers.sql import PostgresLexer  # type: ignore[import-untyped]  # no stubs are installed
from pygments.token import STANDARD_TYPES, Token  # type: ignore[import-untyped]  # no stubs are installed

_SQL = PostgresLexer()
_PYTHON = PythonLexer()
# Beyond this a page would be slow to read for people and browsers alike; the rest is shown uncoloured.
COLOURED_CHARS = 40_000
# Everything that Unicode calls control, format, surrogate, private, unassigned, or a separator other than a space.
_HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"}
_MAYBE_HIDDEN = re.compile(r"[^\x20-\x7e\n\t]")


def sql(text: str) -> SafeString:
    """One statement, as HTML with Pygments' short class names."""
    return _coloured(text, _SQL)


def python(text: str) -> SafeString:
    return _coloured(text, _PYTHON)


def boxed(text: str) -> SafeString:
    """Plain text, escaped, with invisible characters in boxes."""
    return mark_safe(_MAYBE_HIDDEN.sub(_box, escape(text)))  # noqa: S308  # escaped on this very line


def visible(text: str) -> str:
    """The same as plain text, for a sentence that is put together from parts and escaped as a whole."""
    return _MAYBE_HIDDEN.sub(lambda found: f"[U+{ord(found[0]):04X}]" if _is_hidden(found[0]) else found[0], text)


def has_hidden(text: str) -> bool:
    """Whether the text holds a character that a reader would not see."""
    return any(_is_hidden(found[0]) for found in _MAYBE_HIDDEN.finditer(text))


def _coloured(text: str, lexer: Lexer) -> SafeString:
    head, rest = text[:COLOURED_CHARS], text[COLOURED_CHARS:]
    # get_tokens() would strip and normalise newlines; the unprocessed tokens are the text itself.
    parts = [_span(kind, value) for _, kind, value in lexer.get_tokens_unprocessed(head)]
    return mark_safe("".join(parts) + boxed(rest))  # noqa: S308  # every part is escaped by `boxed`


def _span(kind: Token, value: str) -> str:
    while kind not in STANDARD_TYPES:
        kind = kind.parent
    name = STANDARD_TYPES[kind]
    return f'<span class="{name}">{boxed(value)}</span>' if name and not value.isspace() else boxed(value)


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in _HIDDEN_CATEGORIES


def _box(found: re.Match[str]) -> str:
    character = found[0]
    if not _is_hidden(character):
        return character
    name = unicodedata.name(character, "CONTROL CHARACTER")
    return format_html('<mark class="hidden-char" title="{}">{}</mark>', name, f"U+{ord(character):04X}")
