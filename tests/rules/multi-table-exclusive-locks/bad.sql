-- one transaction
ALTER TABLE orgs ADD COLUMN nick text;
ALTER TABLE users ADD COLUMN nick text;
