CREATE TABLE fresh (id int);
ALTER TABLE fresh RENAME TO fresher;
