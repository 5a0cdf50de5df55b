CREATE TABLE notes (id bigint PRIMARY KEY, made_at timestamptz, body jsonb, country char(2), title varchar(80));
CREATE TEMPORARY TABLE scratch (made_at timestamp);
ALTER TABLE users ADD COLUMN seen_at timestamptz;
