-- needs: catalog
ALTER TABLE tickets ADD COLUMN note text;
