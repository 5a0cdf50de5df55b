CREATE DOMAIN label AS text;
ALTER TABLE users ADD COLUMN label label;
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
ALTER TABLE users ADD COLUMN points integer;
ALTER TABLE users ADD CONSTRAINT points_valid CHECK (points > 0) NOT VALID;
