ALTER TABLE users ADD COLUMN mail text;
UPDATE users SET mail = email;
UPDATE users SET email = lower(email) WHERE email <> lower(email);
