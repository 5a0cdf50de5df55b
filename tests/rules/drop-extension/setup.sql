CREATE EXTENSION citext;
CREATE TABLE mails (id integer PRIMARY KEY, address citext);
INSERT INTO mails VALUES (1, 'a@x');
