-- A CHECK that was not verified yet is not verified now either.
ALTER TABLE users ADD CONSTRAINT short_name CHECK (length(name) < 50) NOT VALID;
ALTER TABLE users ALTER COLUMN name TYPE varchar;
