ALTER TABLE users ALTER COLUMN email TYPE varchar(200);
ALTER TABLE users ADD COLUMN nick varchar(20);
ALTER TABLE users ALTER COLUMN nick TYPE text;
