-- needs: catalog, bytes: 2000000000
ALTER TABLE users ALTER COLUMN email TYPE text;
ALTER TABLE users ADD COLUMN note text;
