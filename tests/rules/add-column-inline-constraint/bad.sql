ALTER TABLE users ADD COLUMN code text UNIQUE;
ALTER TABLE users ADD COLUMN level integer CHECK (level > 0);
ALTER TABLE users ADD COLUMN home_id integer DEFAULT 1 REFERENCES orgs (id);
