CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
ALTER TABLE users ADD COLUMN points positive;
