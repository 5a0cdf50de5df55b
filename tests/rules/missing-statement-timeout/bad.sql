-- script
SET lock_timeout = '2s';
CREATE INDEX ix_users_name ON users (name);
