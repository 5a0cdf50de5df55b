CREATE INDEX CONCURRENTLY ix_users_name ON users USING hash (name);
