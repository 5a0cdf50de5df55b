CREATE TABLE notes (id bigint PRIMARY KEY, "userId" bigint);
