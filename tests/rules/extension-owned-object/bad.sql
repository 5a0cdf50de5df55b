-- needs: catalog
ALTER TABLE mine ADD COLUMN note text;
DROP FUNCTION lo_oid(lo);
