-- The same input mends the rows first.
UPDATE people SET age = 0 WHERE age IS NULL;
ALTER TABLE people ALTER COLUMN age SET NOT NULL;
UPDATE people SET boss_id = NULL WHERE boss_id = 9;
ALTER TABLE people ADD CONSTRAINT people_boss_fkey FOREIGN KEY (boss_id) REFERENCES people (id);
ALTER TABLE people ADD CONSTRAINT people_name_short CHECK (length(name) < 10);
ALTER TABLE people ADD CONSTRAINT people_pair_key UNIQUE (name, age);
