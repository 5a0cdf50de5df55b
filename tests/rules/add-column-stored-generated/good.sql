CREATE TABLE fresh (a integer);
ALTER TABLE fresh ADD COLUMN b integer GENERATED ALWAYS AS (a * 2) STORED;
ALTER TABLE users ADD COLUMN double_age integer;
