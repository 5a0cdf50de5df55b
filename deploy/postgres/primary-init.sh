#!/bin/bash
# Runs once, when the primary's data directory is made: the role that replicas connect as, and the example shop.
set -euo pipefail

# \getenv keeps the passwords out of the list of processes.
psql --set ON_ERROR_STOP=1 --quiet --no-psqlrc --username "$POSTGRES_USER" --dbname postgres << 'SQL'
\getenv replication_password REPLICATION_PASSWORD
\getenv shop_password SHOP_PASSWORD
SET password_encryption = 'scram-sha-256';
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'replication_password';
CREATE ROLE shop LOGIN PASSWORD :'shop_password';
GRANT pg_monitor TO shop; -- so that Tidegate sees who blocks, and how far the replicas are
CREATE DATABASE shop OWNER shop;
SQL

# "all" in the image's own line does not mean replication.
echo "host replication replicator all scram-sha-256" >> "$PGDATA/pg_hba.conf"
