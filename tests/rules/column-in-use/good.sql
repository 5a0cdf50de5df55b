-- needs: catalog
ALTER TABLE users DROP COLUMN nick;
ALTER TABLE orgs DROP COLUMN name;
