CREATE TABLE fresh (id int);
CREATE INDEX ix_fresh ON fresh (id);
CREATE INDEX CONCURRENTLY ix_users_name ON users (name);
