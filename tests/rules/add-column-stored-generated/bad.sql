ALTER TABLE users ADD COLUMN double_age integer GENERATED ALWAYS AS (age * 2) STORED;
