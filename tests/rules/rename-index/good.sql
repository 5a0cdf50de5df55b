CREATE INDEX CONCURRENTLY ix_users_new ON users (name);
ALTER INDEX ix_users_new RENAME TO ix_users_name;
