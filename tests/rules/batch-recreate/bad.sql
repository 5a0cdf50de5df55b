-- one transaction
CREATE TABLE _alembic_tmp_orders (id bigint NOT NULL, user_id bigint NOT NULL, PRIMARY KEY (id));
INSERT INTO _alembic_tmp_orders (id, user_id) SELECT orders.id, orders.user_id FROM orders;
DROP TABLE orders;
ALTER TABLE _alembic_tmp_orders RENAME TO orders;
