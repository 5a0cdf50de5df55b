-- server: 100000
ALTER TABLE users ADD COLUMN country text DEFAULT 'nl';
