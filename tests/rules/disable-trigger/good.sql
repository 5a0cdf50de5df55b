ALTER TABLE orders ENABLE TRIGGER ALL;
SET session_replication_role = 'origin';
CREATE TABLE fresh (id integer);
ALTER TABLE fresh DISABLE TRIGGER USER;
