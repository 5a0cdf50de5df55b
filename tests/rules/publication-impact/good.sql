-- needs: catalog
ALTER TABLE users ADD COLUMN nick text;
ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email);
ALTER TABLE users DROP CONSTRAINT users_email_key;
ALTER TABLE orgs DROP COLUMN name;
