CREATE INDEX CONCURRENTLY ix_users_email_name ON users (email, name);
