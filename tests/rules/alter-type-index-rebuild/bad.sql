-- needs: catalog
ALTER TABLE users ALTER COLUMN email TYPE varchar(200) COLLATE "C";
