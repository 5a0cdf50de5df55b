ALTER TABLE orders DISABLE TRIGGER ALL;
SET session_replication_role = replica;
