-- script
SET statement_timeout = '30s';
CREATE INDEX ix_users_name ON users (name);
