CREATE INDEX CONCURRENTLY ix_users_found ON users (org_id, name) INCLUDE (age, price);
CREATE UNIQUE INDEX CONCURRENTLY uq_users_all ON users (org_id, name, age, price);
