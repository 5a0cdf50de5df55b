"""The embedded servers: PostgreSQL and a broker for a machine that has none, for the demo and the tests.

`start(state_dir)` -> Stack; `default_state_dir()` says where. Nothing here knows Django.
"""

from migrations_app.engines.servers.clusters import (
    Cluster,
    ensure_database,
    remove_replica,
    start_cluster,
    start_replica,
    stop,
)
from migrations_app.engines.servers.stack import Stack, default_state_dir, recorded_primary, start, stop_all

__all__ = [
    "Cluster",
    "Stack",
    "default_state_dir",
    "ensure_database",
    "recorded_primary",
    "remove_replica",
    "start",
    "start_cluster",
    "start_replica",
    "stop",
    "stop_all",
]
