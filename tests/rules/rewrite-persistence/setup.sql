CREATE UNLOGGED TABLE cache (id integer);
INSERT INTO cache VALUES (1);
