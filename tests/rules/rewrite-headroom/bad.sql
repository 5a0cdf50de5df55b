-- needs: catalog, bytes: 2000000000
ALTER TABLE users ALTER COLUMN age TYPE bigint;
