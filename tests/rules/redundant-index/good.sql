CREATE UNIQUE INDEX CONCURRENTLY uq_users_email ON users (email);
DROP INDEX CONCURRENTLY ix_users_email;
CREATE INDEX CONCURRENTLY ix_users_email_name ON users (email, name DESC);
CREATE INDEX CONCURRENTLY ix_users_active ON users (email) WHERE active;
CREATE INDEX CONCURRENTLY ix_users_name ON users (name);
