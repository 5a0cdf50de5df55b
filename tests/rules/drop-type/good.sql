ALTER TYPE status RENAME TO status_old;
CREATE TYPE status AS ENUM ('old', 'new', 'newest');
ALTER TABLE users ALTER COLUMN state TYPE status USING state::text::status;
DROP TYPE status_old;
CREATE DOMAIN passing AS text;
DROP DOMAIN passing CASCADE;
