-- needs: catalog, uses: 2000000
ALTER TABLE users ADD COLUMN nick text;
