-- A key on a column that is NULL everywhere is taken for valid without a look.
ALTER TABLE users ADD COLUMN home_id integer REFERENCES orgs (id);
ALTER TABLE users ADD COLUMN level integer;
ALTER TABLE users ADD CONSTRAINT level_valid CHECK (level > 0) NOT VALID;
