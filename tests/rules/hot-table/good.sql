-- needs: catalog, uses: 20
ALTER TABLE users ADD COLUMN nick text;
