CREATE TABLE notes (id bigint PRIMARY KEY, userId bigint, "line" text, name text, value text);
