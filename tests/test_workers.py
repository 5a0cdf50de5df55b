"""A worker's secrets are not to be read out of /proc by what it starts."""

import subprocess
import sys

LOOK = """
import ctypes
from controlplane.celery import hide_from_children
hide_from_children()
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))
"""


def test_a_worker_is_not_dumpable():
    found = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "0"
