-- A view in place of the one that needs the server to load a library. @ stands for the database.
CREATE TABLE users (id bigint PRIMARY KEY, name text, nick text);
CREATE TABLE orgs (id bigint PRIMARY KEY, name text);
INSERT INTO users VALUES (1, 'anna', 'an');
CREATE EXTENSION pg_stat_statements;
ALTER EXTENSION pg_stat_statements DROP VIEW pg_stat_statements;
DROP VIEW pg_stat_statements;
CREATE VIEW pg_stat_statements AS SELECT d.oid AS dbid, q AS query, c AS calls FROM pg_database d, (VALUES
    ('SELECT u.id, u.name FROM users AS u JOIN orgs AS o ON o.id = u.id', 4711),
    ('ALTER TABLE users ADD COLUMN nick text', 1)
) AS seen (q, c);
ALTER EXTENSION pg_stat_statements ADD VIEW pg_stat_statements;
