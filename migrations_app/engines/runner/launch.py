"""How one project is started: which Python, which ini, how it gets its URL, and what must come before Alembic."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from migrations_app.errors import Invalid

PLACEHOLDERS = (
    "url",
    "url_pct",
    "url_plain",
    "url_sync",
    "host",
    "port",
    "user",
    "password",
    "db",
    "site",
    "venv",
    "work",
    "bundle",
)
PLACEHOLDER = re.compile(r"\{(" + "|".join(PLACEHOLDERS) + r")\}")
ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Ours: they carry the address, or decide what is loaded before our own code runs.
RESERVED_ENV = frozenset({"PGSERVICE", "PGSERVICEFILE", "PGPASSFILE", "PGAPPNAME", "LD_PRELOAD", "LD_LIBRARY_PATH"})


@dataclass(frozen=True)
class UrlRecipe:
    """Where the project looks for its URL: any of environment variables, `sqlalchemy.url`, an `-x name=` argument."""

    env: tuple[str, ...] = ()
    ini: bool = True
    x_arg: str | None = None
    driver: str | None = None  # psycopg, psycopg2, asyncpg, ...; None: the first that the interpreter can import


@dataclass(frozen=True)
class Launch:
    """The recipe of one project. Values of `env`, `x_args`, `files`, `hook` may hold the placeholders above."""

    python: tuple[str, ...]
    alembic_ini: str = "alembic.ini"
    ini_section: str = "alembic"
    script_location: str | None = None
    url: UrlRecipe = field(default_factory=UrlRecipe)
    env: Mapping[str, str] = field(default_factory=dict)
    x_args: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)  # written into the private {work} folder of each process
    working_dir: str | None = None
    hook: str | None = None
    version_table: str = "alembic_version"
    version_table_schema: str | None = None
    upgrade_to: tuple[str, ...] = ("heads",)

    def to_json(self) -> dict[str, Any]:
        """The form that `from_json` reads back, and that goes into digests."""
        return asdict(self)

    def destination(self, to: str) -> tuple[tuple[str, ...], str]:
        """What people write ("head", a revision, "+n", "-n", "base") as Alembic takes it, with the direction."""
        if to in {"head", "heads"} and self.upgrade_to != ("heads",):
            return self.upgrade_to, "upgrade"
        return (to,), "downgrade" if to.startswith("-") or to == "base" else "upgrade"

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Launch:
        """Raises `Invalid` with the pointer of the first field that is wrong."""
        read = _Reader(data, "")
        url = _Reader(read.mapping("url"), "/url")
        launch = cls(
            python=read.texts("python"),
            alembic_ini=read.text("alembic_ini", "alembic.ini"),
            ini_section=read.text("ini_section", "alembic"),
            script_location=read.text_or_none("script_location"),
            url=UrlRecipe(
                url.texts("env"), url.flag("ini", True), url.text_or_none("x_arg"), url.text_or_none("driver")
            ),
            env=read.strings("env"),
            x_args=read.texts("x_args"),
            files=read.strings("files"),
            working_dir=read.text_or_none("working_dir"),
            hook=read.text_or_none("hook"),
            version_table=read.text("version_table", "alembic_version"),
            version_table_schema=read.text_or_none("version_table_schema"),
            upgrade_to=read.texts("upgrade_to") or ("heads",),
        )
        url.done()
        read.done()
        launch._check()
        return launch

    def _check(self) -> None:
        if not self.python:
            raise Invalid.field("/python", "Say which Python starts this project, such as /srv/shop/.venv/bin/python.")
        for pointer, names in (("/env", self.env), ("/url/env", self.url.env)):
            for name in names:
                if not ENV_NAME.fullmatch(name):
                    raise Invalid.field(pointer, f"{name!r} is not the name of an environment variable.")
                if name in RESERVED_ENV:
                    raise Invalid.field(pointer, f"{name} is set by Tidegate itself. Leave it out.")
        for index, argument in enumerate(self.x_args):
            if "{password}" in argument:
                raise Invalid.field(f"/x_args/{index}", "A password must not be an argument. Use env or files.")
            if "=" not in argument:
                raise Invalid.field(f"/x_args/{index}", "Write it as name=value.")
        for name in self.files:
            if not name or name.startswith("/") or ".." in name.split("/"):
                raise Invalid.field("/files", f"{name!r} must be a path inside the working folder, without '..'.")
        if self.hook:
            _check_hook(self.hook)


def _check_hook(hook: str) -> None:
    try:
        compile(hook, "<hook>", "exec")
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None)
        raise Invalid.field("/hook", f"The hook is not Python: {error.args[0]} (line {line}).") from None


def fill(template: str, values: Mapping[str, str]) -> str:
    """Replaces the placeholders that are known; every other brace is the project's own."""
    return PLACEHOLDER.sub(lambda match: values[match[1]], template)


class _Reader:
    """Takes typed fields out of JSON, and refuses what nobody took."""

    def __init__(self, data: Mapping[str, Any], at: str) -> None:
        self.data, self.at = dict(data), at

    def _take(self, name: str, kind: type, what: str) -> Any:
        value = self.data.pop(name, None)
        if value is not None and not isinstance(value, kind):
            raise Invalid.field(f"{self.at}/{name}", f"{name} must be {what}.")
        return value

    def text_or_none(self, name: str) -> str | None:
        value = self._take(name, str, "a text")
        return value or None

    def text(self, name: str, default: str) -> str:
        return self.text_or_none(name) or default

    def flag(self, name: str, default: bool) -> bool:
        value = self._take(name, bool, "true or false")
        return default if value is None else value

    def mapping(self, name: str) -> dict[str, Any]:
        return self._take(name, dict, "an object") or {}

    def texts(self, name: str) -> tuple[str, ...]:
        values = self._take(name, (list, tuple), "a list of texts") or ()  # type: ignore[arg-type] # isinstance takes both
        for index, value in enumerate(values):
            if not isinstance(value, str) or not value:
                raise Invalid.field(f"{self.at}/{name}/{index}", "must be a text that is not empty.")
        return tuple(values)

    def strings(self, name: str) -> dict[str, str]:
        values = self.mapping(name)
        for key, value in values.items():
            if not isinstance(value, str):
                raise Invalid.field(f"{self.at}/{name}/{key}", "must be a text.")
        return values

    def done(self) -> None:
        for name in self.data:
            raise Invalid.field(f"{self.at}/{name}", f"There is no field {name}.")
