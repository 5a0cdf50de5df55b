-- needs: catalog
CREATE TABLE notes (id bigint PRIMARY KEY, org_id bigint REFERENCES orgs (id));
CREATE POLICY notes_all ON notes USING (org_id = 1);
ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
CREATE TABLE app.notes (id bigint PRIMARY KEY, org_id bigint REFERENCES orgs (id));
