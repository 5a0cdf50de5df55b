CREATE TABLE IF NOT EXISTS orgs (id integer PRIMARY KEY, name text NOT NULL, city text);
