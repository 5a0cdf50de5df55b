CREATE TABLE users (id bigint PRIMARY KEY, email varchar(200), name text);
CREATE TABLE orgs (id integer PRIMARY KEY, name text);
INSERT INTO users VALUES (1, 'a@x', 'anna');
INSERT INTO orgs VALUES (1, 'one');
DROP PUBLICATION IF EXISTS t_rules_users;
CREATE PUBLICATION t_rules_users FOR TABLE users;
