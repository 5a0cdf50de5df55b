-- needs: catalog
ALTER TABLE users ADD COLUMN photo lo;
CREATE FUNCTION lo_oid(bigint) RETURNS bigint LANGUAGE sql AS 'SELECT $1';
DROP FUNCTION lo_oid(bigint);
