-- needs: catalog
ALTER TABLE events ADD COLUMN note text;
