-- server: 100000
ALTER TABLE users ADD COLUMN country text;
ALTER TABLE users ALTER COLUMN country SET DEFAULT 'nl';
