-- one transaction
ALTER TABLE users ADD COLUMN nick text;
UPDATE users SET nick = lower(name);
