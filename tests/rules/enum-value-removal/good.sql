ALTER TYPE status RENAME TO status_old;
CREATE TYPE status AS ENUM ('new', 'old', 'newest');
ALTER TABLE users ALTER COLUMN state TYPE status USING state::text::status;
DROP TYPE status_old;
