"""The recipe inside this process: paths, hook, Config, and what of it must come out of the bundle."""

from __future__ import annotations

import argparse
import configparser
import contextlib
import os
import re
import sys
import traceback
from collections.abc import Callable
from typing import Any

HERE = os.path.dirname(os.path.abspath(__file__))


class Project:
    """`spec` is what `spawn.py` sends: absolute paths, placeholders already filled."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self.spec = spec
        self.cfg: Any = None
        self.hooks: dict[str, Any] = {}
        os.chdir(spec["cwd"])
        sys.path[:0] = [p for p in self._paths() if p not in sys.path]  # -I gives neither our cwd nor PYTHONPATH
        if spec["hook"]:
            exec(compile(spec["hook"], "<hook>", "exec"), self.hooks)  # noqa: S102 - the recipe's own code, by contract
        self.hooks.get("prelude", lambda: None)()

    def _paths(self) -> list[str]:
        ini = configparser.RawConfigParser(strict=False)
        with contextlib.suppress(configparser.Error, UnicodeDecodeError):
            ini.read(self.spec["ini"])
        prepend = ini.get(self.spec["section"], "prepend_sys_path", fallback="")
        prepend = prepend.replace("%(here)s", os.path.dirname(self.spec["ini"]))
        own = [os.path.abspath(p) for p in re.split(r"[,;:\s]+", prepend) if p]
        env = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        return list(dict.fromkeys([*own, self.spec["cwd"], self.spec["bundle"], *(p for p in env if p)]))

    def work(self, fn: Callable[[], Any]) -> Any:
        """Calls `fn` as the project's own command would: inside its app context, its thread, its event loop."""
        out: list[Any] = []

        def inside() -> None:
            self.cfg = self._config()
            wrap = self.hooks.get("wrap")
            with wrap(self.cfg, self.spec["url"]) if wrap else contextlib.nullcontext():
                out.append(fn())

        self.hooks.get("run", lambda f: f())(inside)
        return out[0] if out else None

    def _config(self) -> Any:
        from alembic.config import Config

        spec, toml = self.spec, self.spec["ini"].endswith(".toml")
        cfg: Any = Config(
            None if toml else spec["ini"],
            ini_section=spec["section"],
            cmd_opts=argparse.Namespace(x=spec["x_args"] or None, autogenerate=False, sql=False, tag=None),
            attributes={"tidegate": True},
            **({"toml_file": spec["ini"]} if toml else {}),
        )
        if spec["ini_url"]:
            cfg.set_main_option("sqlalchemy.url", spec["url"].replace("%", "%%"))
        if spec["script_location"]:
            cfg.set_main_option("script_location", spec["script_location"].replace("%", "%%"))
        self.hooks.get("configure", lambda *_: None)(cfg, spec["url"])
        return cfg

    def script(self) -> Any:
        from alembic.script import ScriptDirectory

        location = getattr(self.cfg, "get_alembic_option", self.cfg.get_main_option)("script_location")
        if location and self.bundled(location) != location:
            self.cfg.set_main_option("script_location", self.bundled(location).replace("%", "%%"))
        return self.rebase(ScriptDirectory.from_config(self.cfg))

    def bundled(self, location: Any) -> str:
        """`/site-packages/x/versions`, `x:versions` -> the copy of that folder in the bundle, if it has one."""
        from alembic import util

        spelled: str = str(location)
        path = os.path.realpath(str(util.coerce_resource_to_filename(spelled)))
        for origin, copy in self.spec["origins"]:
            if path == origin or path.startswith(origin + os.sep):
                return f"{self.spec['bundle']}/{copy}{path[len(origin) :]}"
        return spelled

    def rebase(self, script: Any) -> Any:
        """Points the version locations into the bundle. Called again once env.py has run: it may have set others
        (prefect does), and both they and the revisions are memoised."""
        from alembic.script.revision import RevisionMap

        script.version_locations = [self.bundled(p) for p in script.version_locations or ()]
        vars(script).pop("_version_locations", None)
        script.revision_map = RevisionMap(script._load_revisions)
        return script

    def relative(self, path: str) -> str:
        """The name of a file in the bundle (or among the rendered files); other paths stay as they are."""
        path = os.path.realpath(path)
        for root in map(os.path.realpath, (self.spec["bundle"], self.spec["work"])):
            if path.startswith(root + os.sep):
                return os.path.relpath(path, root)
        return path

    def run_env(self, script: Any, fn: Callable[..., Any], **options: Any) -> None:
        from alembic.runtime.environment import EnvironmentContext

        with EnvironmentContext(self.cfg, script, fn=fn, **{"starting_rev": None, "tag": None, **options}):
            script.run_env()


def failure(project: Project | None, exc: BaseException) -> dict[str, Any]:
    """What people need of an exception. Parameters and DETAIL lines hold rows of the target, so they stay here."""
    orig = getattr(exc, "orig", None) or exc
    name: Callable[[str], str] = project.relative if project else str
    frames = [f for f in traceback.extract_tb(exc.__traceback__) if not f.filename.startswith(HERE)]
    lines = [f"{name(f.filename)}:{f.lineno} in {f.name}" for f in frames]
    own = [f"{name(f.filename)}:{f.lineno}" for f in frames if own_file(name(f.filename))]
    if isinstance(exc, SyntaxError) and exc.filename:
        own.append(f"{name(exc.filename)}:{exc.lineno}")
    text = str(orig).strip()
    return {
        "type": type(orig).__name__,
        "message": text.splitlines()[0][:2000] if text else "",
        "sqlstate": sqlstate(exc),
        "where": own[-1] if own else "",
        "traceback": [s for s in lines[:-3] if own_file(s)][-9:] + lines[-3:],
    }


def own_file(name: str) -> bool:
    """Alembic also generates code, whose file is called <string>."""
    return name == "<hook>" or not (os.path.isabs(name) or name.startswith("<"))


def sqlstate(exc: BaseException | None) -> str | None:
    """The first SQLSTATE along the causes: `pgcode` is psycopg2's, `sqlstate` that of psycopg and asyncpg."""
    for _ in range(10):
        for error in (getattr(exc, "orig", None), exc):
            for attribute in ("sqlstate", "pgcode"):
                code = getattr(error, attribute, None)
                if isinstance(code, str):
                    return code
        exc = exc and (exc.__cause__ or exc.__context__)
    return None
