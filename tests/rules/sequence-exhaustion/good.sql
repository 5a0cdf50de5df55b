-- needs: catalog
ALTER TABLE letters ADD COLUMN note text;
ALTER TABLE calls ADD COLUMN note text;
