CREATE TABLE notes (id bigint PRIMARY KEY, made_at timestamp, body json);
