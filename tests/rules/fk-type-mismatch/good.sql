CREATE TABLE notes (id bigint PRIMARY KEY, user_id bigint REFERENCES users (id), parent_id bigint REFERENCES notes (id));
