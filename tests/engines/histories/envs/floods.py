import sys

sys.stdout.write("x" * 3_000_000)
sys.stdout.flush()
