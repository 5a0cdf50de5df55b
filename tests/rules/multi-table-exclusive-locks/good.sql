-- one transaction
ALTER TABLE users ADD COLUMN nick text;
ALTER TABLE users ADD COLUMN title text;
