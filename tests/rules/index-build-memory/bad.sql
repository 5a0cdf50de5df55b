-- needs: catalog, bytes: 2000000000
CREATE INDEX CONCURRENTLY ix_users_words ON users USING gin (to_tsvector('simple', name));
