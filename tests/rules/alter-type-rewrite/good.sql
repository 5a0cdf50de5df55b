ALTER TABLE users ALTER COLUMN email TYPE text;
ALTER TABLE users ALTER COLUMN price TYPE numeric(20, 4);
