ALTER TABLE users ADD COLUMN country text NOT NULL DEFAULT 'nl';
ALTER TABLE users ADD COLUMN city text;
