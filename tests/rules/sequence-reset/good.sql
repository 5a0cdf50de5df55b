SELECT setval('orders_id_seq', (SELECT max(id) FROM orders));
SELECT setval(pg_get_serial_sequence('orders', 'id'), coalesce(max(id), 1)) FROM orders;
CREATE TABLE fresh (id serial);
SELECT setval('fresh_id_seq', 1000);
ALTER SEQUENCE fresh_id_seq RESTART;
ALTER SEQUENCE orders_id_seq INCREMENT BY 10;
