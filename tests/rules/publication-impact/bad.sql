-- needs: catalog
ALTER TABLE users ALTER COLUMN email TYPE text;
