-- Rows that stand in the way: a NULL, a repeated value, an orphan, a long text, no number.
CREATE TABLE people (id integer PRIMARY KEY, name text, age integer, boss_id integer, note text, code text);
INSERT INTO people VALUES (1, 'Anna', 30, NULL, 'short', '12'), (2, 'Anna', NULL, 9, repeat('x', 60), 'none');
