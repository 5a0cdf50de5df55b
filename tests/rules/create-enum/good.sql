ALTER TYPE status RENAME TO status_old;
CREATE TYPE status AS ENUM ('old', 'new', 'newest');
CREATE DOMAIN mood AS text CHECK (VALUE IN ('glad', 'sad'));
