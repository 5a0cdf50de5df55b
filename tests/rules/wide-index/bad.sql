CREATE INDEX CONCURRENTLY ix_users_all ON users (org_id, name, age, price);
