-- The index on email goes on serving: text and varchar are sorted alike.
ALTER TABLE users ALTER COLUMN email TYPE text;
ALTER TABLE users ALTER COLUMN name TYPE text COLLATE "C";
