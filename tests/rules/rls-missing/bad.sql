-- needs: catalog
CREATE TABLE notes (id bigint PRIMARY KEY, org_id bigint REFERENCES orgs (id));
