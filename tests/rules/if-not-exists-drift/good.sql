CREATE TABLE IF NOT EXISTS orgs (id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE IF NOT EXISTS users (id int8, org_id int, email character varying(200), price decimal(12, 4), state status);
CREATE TABLE IF NOT EXISTS fresh (id bigint PRIMARY KEY, city text);
