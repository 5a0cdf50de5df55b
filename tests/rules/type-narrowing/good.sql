ALTER TABLE users ALTER COLUMN email TYPE varchar(300);
ALTER TABLE users ALTER COLUMN price TYPE numeric(14, 4);
ALTER TABLE users ALTER COLUMN email TYPE text;
