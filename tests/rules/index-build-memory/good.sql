-- needs: catalog, bytes: 2000000000
SET maintenance_work_mem = '256MB';
CREATE INDEX CONCURRENTLY ix_users_words ON users USING gin (to_tsvector('simple', name));
CREATE INDEX CONCURRENTLY ix_users_name ON users (name);
