"""Chunked data changes: key order, exactly-once checkpoints, pace, throttle and proof.

`definition.check` turns what a person declared into something safe to run; `slice.run_slice` works on it for some
seconds; `verify.remaining` counts what is left. Connections are handed in; nothing here opens one.
"""
