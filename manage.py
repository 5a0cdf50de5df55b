#!/usr/bin/env python
"""Tidegate's commands: `python manage.py help` lists them."""

import os
import secrets
import sys
from base64 import b64encode

# These only read what they are given. They must work where no Tidegate is installed, such as in a project's own CI.
NEED_NO_INSTALLATION = {"analyse"}


def main() -> int:
    if sys.argv[1:2] == ["demo"]:
        # The demo starts the servers that Django's settings name, so it has to run before these are read.
        from demo.main import main as demo

        return demo(sys.argv[2:])
    if sys.argv[1:2] and sys.argv[1] in NEED_NO_INSTALLATION:
        _stand_in()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as wrong:
        print(wrong, file=sys.stderr)
        return 4
    return 0


def _stand_in() -> None:
    """Settings for a command that opens neither the control database nor a sealed secret."""
    os.environ.setdefault("TIDEGATE_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    os.environ.setdefault("TIDEGATE_SECRET_KEY", secrets.token_urlsafe(40))
    os.environ.setdefault("TIDEGATE_KEYS", f"none:{b64encode(secrets.token_bytes(32)).decode()}")


if __name__ == "__main__":
    sys.exit(main())
