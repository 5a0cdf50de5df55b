CREATE INDEX CONCURRENTLY ix_users_org ON users (org_id, name);
ALTER TABLE users ADD CONSTRAINT users_org_fkey FOREIGN KEY (org_id) REFERENCES orgs (id) NOT VALID;
CREATE TABLE members (org_id integer REFERENCES orgs (id), user_id bigint REFERENCES users (id), PRIMARY KEY (org_id, user_id));
CREATE INDEX ix_members_user ON members (user_id);
