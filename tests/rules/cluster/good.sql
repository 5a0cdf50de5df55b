CREATE TABLE fresh (id integer PRIMARY KEY);
CLUSTER fresh USING fresh_pkey;
ALTER TABLE users CLUSTER ON users_pkey;
