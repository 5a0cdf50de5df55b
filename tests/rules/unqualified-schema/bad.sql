SET search_path = app;
CREATE TABLE notes (id bigint PRIMARY KEY);
