CREATE TABLE fresh (id integer, name text);
INSERT INTO fresh VALUES (1, 'pg_notify(cache)');
LISTEN cache;
