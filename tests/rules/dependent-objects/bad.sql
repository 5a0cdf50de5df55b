-- needs: catalog
ALTER TABLE users RENAME COLUMN age TO years;
