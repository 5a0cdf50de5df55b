#!/usr/bin/env python
"""Tidegate's commands: `python manage.py help` lists them."""

import os
import sys


def main() -> int:
    if sys.argv[1:2] == ["demo"]:
        # The demo starts the servers that Django's settings name, so it has to run before these are read.
        from demo.main import main as demo

        return demo(sys.argv[2:])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "controlplane.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as wrong:
        print(wrong, file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
