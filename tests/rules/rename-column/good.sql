-- one transaction
ALTER TABLE users RENAME TO people;
ALTER TABLE people RENAME COLUMN email TO mail;
CREATE VIEW users AS SELECT *, mail AS email FROM people;
ALTER TABLE orgs ADD COLUMN mail text;
ALTER TABLE orgs RENAME COLUMN mail TO post;
