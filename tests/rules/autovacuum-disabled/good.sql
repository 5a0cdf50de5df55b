ALTER TABLE users SET (autovacuum_enabled = off, fillfactor = 90);
UPDATE users SET name = 'anna' WHERE id = 1;
ALTER TABLE users RESET (autovacuum_enabled);
