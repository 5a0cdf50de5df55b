CREATE TABLE counted (id integer GENERATED ALWAYS AS IDENTITY, name text);
INSERT INTO counted (name) VALUES ('one');
