SELECT setval('orders_id_seq'::regclass, 1, false);
ALTER SEQUENCE orders_id_seq RESTART WITH 1;
