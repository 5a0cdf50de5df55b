"""Where a target is, and as whom we go there: a connection URL, taken apart and made safe.

A URL comes from people, libpq does far more with one than they mean (files, sockets, service names, host lists), so
everything that is not plainly one TCP server, one database and one role is refused here and nowhere later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import quote, unquote, urlsplit

from migrations_app.errors import Invalid

POINTER = "/url"
DEFAULT_PORT = 5432
SCHEME = re.compile(r"postgres(ql)?(\+[a-z0-9_]+)?")
BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
KEPT_OPTIONS = frozenset({"sslmode", "sslrootcert", "channel_binding", "sslnegotiation"})
# Tidegate decides these itself on every connection, so they may stand in a URL that was copied from an application.
IGNORED_OPTIONS = frozenset({"application_name", "connect_timeout", "target_session_attrs", "gssencmode"})
INSTEAD = {
    "host": "write the host before the database: postgresql://user@host:5432/database",
    "options": "set timeouts in the limits of the target instead",
    "service": "service files live on the server of Tidegate; write host, port, user and database",
    "passfile": "write the password in the URL, or as a reference",
    "sslkey": "client certificates out of a URL are not supported",
    "sslcert": "client certificates out of a URL are not supported",
}


@dataclass(frozen=True)
class Address:
    """One PostgreSQL database on one TCP server, and the role to use. The password is in no text form of it."""

    host: str
    port: int
    database: str
    user: str
    password: str | None = field(default=None, repr=False)
    options: tuple[tuple[str, str], ...] = ()

    @property
    def redacted(self) -> str:
        """`postgresql://user@host:5432/database`: the form for people and logs."""
        return self._url("postgresql", None)

    def __str__(self) -> str:
        return self.redacted

    def url(self, driver: str | None = None, *, with_password: bool = False) -> str:
        """A URL for SQLAlchemy or libpq, options included; the password only when asked for by name."""
        base = self._url(f"postgresql+{driver}" if driver else "postgresql", self.password if with_password else None)
        query = "&".join(f"{name}={quote(value, safe='/')}" for name, value in self.options)
        return f"{base}?{query}" if query else base

    def _url(self, scheme: str, password: str | None) -> str:
        secret = "" if password is None else f":{quote(password, safe='')}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{scheme}://{quote(self.user, safe='')}{secret}@{host}:{self.port}/{quote(self.database, safe='')}"


def parse(url: str) -> Address:
    """Take a connection URL apart. Raises `Invalid` at `/url`; no message repeats any part that may hold a secret."""
    if any(ord(char) < 32 or ord(char) == 127 for char in url):
        raise Invalid.field(POINTER, "The URL holds a control character. Write it as one plain line.")
    scheme, separator, rest = url.strip().partition("://")
    if not separator or not SCHEME.fullmatch(scheme.lower()):
        raise Invalid.field(POINTER, "The URL must begin with postgresql:// (or postgres://, postgresql+driver://).")
    if "#" in rest:
        raise Invalid.field(POINTER, "The URL holds a bare #. Inside a user name or password write it as %23.")
    if BAD_ESCAPE.search(rest):
        raise Invalid.field(POINTER, "The URL holds a bare %. Inside a user name or password write it as %25.")
    try:
        parts = urlsplit(f"postgresql://{rest}")
    except ValueError:  # an unbalanced [ of an IPv6 host; its text would repeat the URL
        raise Invalid.field(POINTER, "The host of the URL cannot be read. Write IPv6 hosts in brackets.") from None
    userinfo, _, server = parts.netloc.rpartition("@")
    user, colon, password = userinfo.partition(":")
    host, port = _server(server)
    return Address(
        host=host,
        port=port,
        database=_required(_decoded(parts.path[1:]), "database", "after the last slash"),
        user=_required(_decoded(user), "user", "before the @"),
        password=_decoded(password) if colon and password else None,
        options=_options(parts.query),
    )


def _server(server: str) -> tuple[str, int]:
    if "," in server:
        raise Invalid.field(POINTER, "A list of hosts is not one target. Name the primary; replicas are listed apart.")
    match = re.fullmatch(r"(\[[^\]]+\]|[^:\[\]]*)(?::(\d*))?", server)
    if match is None:
        raise Invalid.field(POINTER, "Host and port cannot be read. Write host:5432, IPv6 hosts in brackets.")
    host = _required(_decoded(match[1].strip("[]")), "host", "after the @")
    if "/" in host or "\\" in host or host.startswith("@") or "," in host:
        raise Invalid.field(POINTER, "Unix sockets and host lists are not supported. Name one TCP host.")
    port = int(match[2] or DEFAULT_PORT)
    if not 0 < port < 65536:
        raise Invalid.field(POINTER, "The port must be between 1 and 65535.")
    return host, port


def _options(query: str) -> tuple[tuple[str, str], ...]:
    kept = {}
    for pair in filter(None, query.split("&")):
        name, _, value = pair.partition("=")
        name = _decoded(name)
        if name in KEPT_OPTIONS:
            kept[name] = _decoded(value)
        elif name not in IGNORED_OPTIONS:
            hint = INSTEAD.get(name, f"leave it out; allowed are {', '.join(sorted(KEPT_OPTIONS))}")
            shown = name if re.fullmatch(r"[a-z_]{1,40}", name) else "with that name"
            raise Invalid.field(POINTER, f"The option {shown} is not allowed in a URL: {hint}.")
    return tuple(sorted(kept.items()))


def _decoded(text: str) -> str:
    try:
        plain = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise Invalid.field(POINTER, "The URL holds a percent escape that is not UTF-8.") from None
    if any(ord(char) < 32 or ord(char) == 127 for char in plain):
        raise Invalid.field(POINTER, "The URL holds an escaped control character, which no name or password may have.")
    return plain


def _required(value: str, what: str, where: str) -> str:
    if not value:
        raise Invalid.field(
            POINTER, f"The URL names no {what}. Write it {where}: postgresql://user@host:5432/database."
        )
    return value
