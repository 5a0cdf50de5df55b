"""`alembic upgrade heads` as the project itself would say it, in the project's own Python. The spec is on stdin."""

import json
import sys

from alembic import command
from alembic.config import Config

spec = json.load(sys.stdin)
hooks = {}
exec(compile(spec["hook"], "<hook>", "exec"), hooks)
hooks.get("prelude", lambda: None)()
config = Config(spec["ini"])
config.set_main_option("sqlalchemy.url", spec["url"].replace("%", "%%"))
hooks.get("run", lambda fn: fn())(lambda: command.upgrade(config, "heads"))
