ALTER TABLE users ALTER COLUMN name TYPE text USING left(name, 3);
