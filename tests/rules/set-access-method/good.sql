-- needs: catalog
ALTER TABLE users SET ACCESS METHOD heap;
