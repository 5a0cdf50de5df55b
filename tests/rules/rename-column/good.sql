ALTER TABLE users ADD COLUMN mail text;
ALTER TABLE users RENAME COLUMN mail TO post;
