CREATE TABLE sales (id integer PRIMARY KEY, amount integer);
INSERT INTO sales VALUES (1, 10);
CREATE MATERIALIZED VIEW totals AS SELECT id, amount FROM sales;
CREATE UNIQUE INDEX totals_id ON totals (id);
