#!/bin/sh
# Starts the broker. Its settings come in on standard input, so that the password is neither in the list of processes
# nor in a file. noeviction: a full broker refuses a task rather than drop another. appendonly: a restart forgets nothing.
set -eu
: "${VALKEY_PASSWORD:?is not set: the broker does not start without a password}"

exec valkey-server - << SETTINGS
requirepass $VALKEY_PASSWORD
bind ${VALKEY_BIND:-* -::*}
port ${VALKEY_PORT:-6379}
dir ${VALKEY_DIR:-/data}
maxmemory-policy noeviction
appendonly yes
save ""
SETTINGS
