-- needs: catalog
ALTER TABLE users RENAME COLUMN price TO cost;
CREATE OR REPLACE FUNCTION grown(bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true';
ALTER TABLE users DROP COLUMN age;
