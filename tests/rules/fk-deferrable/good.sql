CREATE TABLE notes (id bigint PRIMARY KEY, user_id bigint REFERENCES users (id), UNIQUE (user_id) DEFERRABLE);
