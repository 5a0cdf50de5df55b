CREATE TABLE users (id bigint PRIMARY KEY, email text, name text CONSTRAINT users_name_key UNIQUE);
INSERT INTO users VALUES (1, 'a@x', 'anna');
CREATE UNIQUE INDEX uq_users_email ON users (email);
CREATE UNIQUE INDEX uq_users_name ON users (name, email);
CREATE INDEX ix_users_email ON users (email);
