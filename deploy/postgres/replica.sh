#!/bin/bash
# Entry point of a streaming replica: copied from its primary at the first start, resumed at the others.
set -euo pipefail
: "${PRIMARY_HOST:?}" "${PRIMARY_PORT:?}" "${REPLICA_NAME:?}" "${REPLICATION_PASSWORD:?}" "${PGDATA:?}"

umask 077
export PGPASSFILE="$(dirname "$PGDATA")/pgpass"
echo "*:*:*:replicator:$REPLICATION_PASSWORD" > "$PGPASSFILE"
slot="tidegate_$REPLICA_NAME"
primary="host=$PRIMARY_HOST port=$PRIMARY_PORT user=replicator application_name=$REPLICA_NAME"

if [ ! -d "$PGDATA" ]; then
    draft="$PGDATA.new"  # renamed when complete: a copy that was cut short is never started
    rm -rf "$draft"
    psql --no-psqlrc --quiet --tuples-only --set ON_ERROR_STOP=1 "$primary dbname=postgres" --command \
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '$slot' AND NOT active"
    pg_basebackup --pgdata "$draft" --dbname "$primary" --checkpoint=fast --wal-method=stream \
        --create-slot --slot "$slot" --write-recovery-conf
    mv "$draft" "$PGDATA"
fi

exec postgres -D "$PGDATA" "$@"
