"""Leaves a process behind that left the process group too, and never comes to an end."""

import subprocess
import time

subprocess.Popen(["sleep", "987"], start_new_session=True)
time.sleep(600)
