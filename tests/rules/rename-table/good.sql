-- one transaction
ALTER TABLE users RENAME TO people;
CREATE VIEW users AS SELECT * FROM people;
CREATE TABLE fresh (id int);
ALTER TABLE fresh RENAME TO fresher;
