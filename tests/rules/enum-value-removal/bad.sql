CREATE TYPE status_short AS ENUM ('new');
ALTER TABLE users ALTER COLUMN state TYPE status_short USING state::text::status_short;
