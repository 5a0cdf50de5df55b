CREATE TABLE notes (id bigserial PRIMARY KEY, line text);
CREATE TABLE org_notes (org_id integer PRIMARY KEY REFERENCES orgs (id));
CREATE TABLE pairs (a integer, b integer, PRIMARY KEY (a, b));
