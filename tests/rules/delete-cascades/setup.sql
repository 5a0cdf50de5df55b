CREATE TABLE orgs (id integer PRIMARY KEY);
CREATE TABLE users (id bigint PRIMARY KEY, org_id integer REFERENCES orgs);
CREATE TABLE notes (id integer PRIMARY KEY, user_id bigint REFERENCES users ON DELETE CASCADE);
CREATE TABLE marks (note_id integer REFERENCES notes ON DELETE SET NULL);
INSERT INTO orgs VALUES (1), (2);
INSERT INTO users VALUES (1, 2), (2, 2);
INSERT INTO notes VALUES (1, 1), (2, 2);
