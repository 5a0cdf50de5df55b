CREATE TABLE users (id bigint PRIMARY KEY, age integer);
INSERT INTO users VALUES (1, 30);
CREATE FUNCTION grown(integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 >= 18';
CREATE INDEX ix_users_grown ON users (grown(age));
CREATE VIEW ages WITH (security_barrier) AS SELECT age FROM users;
