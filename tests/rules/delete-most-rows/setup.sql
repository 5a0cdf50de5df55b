CREATE TABLE logs (id integer PRIMARY KEY, level text NOT NULL, note text);
INSERT INTO logs SELECT g, CASE WHEN g % 50 = 0 THEN 'error' ELSE 'info' END FROM generate_series(1, 100) AS g;
