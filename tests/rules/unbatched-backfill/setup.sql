CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint);
INSERT INTO orders SELECT n, n FROM generate_series(1, 20000) n;
