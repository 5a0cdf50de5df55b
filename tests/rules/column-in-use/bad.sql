-- needs: catalog
ALTER TABLE users DROP COLUMN name;
