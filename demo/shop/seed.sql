-- The shop's data: 2,000 customers, 500 products, 200,000 orders of one to three lines, 5,000 reviews.
-- Every value follows from its row's number, so each run gives the same rows; a table that has rows is left alone,
-- so a second run changes nothing. It fits the schema of any revision from 0003 to 0008, and is one transaction.
BEGIN;

INSERT INTO customers (id, email, name, legacy_ref, created_at)
SELECT n, 'customer' || n || '@shop.example', 'Customer ' || n, 'OLD-' || lpad((n * 7919 % 1000000)::text, 6, '0'),
       timestamptz '2021-01-01 00:00+00' + n * interval '3 hours'
FROM generate_series(1, 2000) AS n
WHERE NOT EXISTS (SELECT FROM customers);

INSERT INTO products (id, sku, title, price)
SELECT n, 'SKU-' || lpad(n::text, 5, '0'), 'Product ' || n, (100 + n * 37 % 9900) / 100.0
FROM generate_series(1, 500) AS n
WHERE NOT EXISTS (SELECT FROM products);

CREATE TEMPORARY TABLE lines_to_be ON COMMIT DROP AS
SELECT n AS order_id, k AS position, p.id AS product_id, 1 + (n + k) % 4 AS quantity, p.price AS unit_price
FROM generate_series(1, 200000) AS n
CROSS JOIN LATERAL generate_series(1, 1 + n % 3) AS k
JOIN products AS p ON p.id = 1 + (n * 31 + k * 17) % 500
WHERE NOT EXISTS (SELECT FROM orders);

INSERT INTO orders (id, customer_id, status, total, placed_at)
SELECT order_id, 1 + order_id * 7919::bigint % 2000,
       (ARRAY['placed', 'paid', 'shipped', 'shipped', 'shipped', 'cancelled'])[1 + order_id % 6]::order_status,
       sum(quantity * unit_price), timestamptz '2023-01-01 00:00+00' + order_id * interval '5 minutes'
FROM lines_to_be
GROUP BY order_id
ORDER BY order_id;

INSERT INTO order_lines (order_id, position, product_id, quantity, unit_price)
SELECT order_id, position, product_id, quantity, unit_price FROM lines_to_be ORDER BY order_id, position;

INSERT INTO reviews (id, product_id, customer_id, stars, body)
SELECT n, 1 + n * 13 % 500, 1 + n * 17 % 2000, 1 + n % 5, 'Review ' || n
FROM generate_series(1, 5000) AS n
WHERE NOT EXISTS (SELECT FROM reviews);

-- The rows brought their own ids: let the next order that the shop takes come after them.
SELECT setval(pg_get_serial_sequence('customers', 'id'), (SELECT max(id) FROM customers)),
       setval(pg_get_serial_sequence('products', 'id'), (SELECT max(id) FROM products)),
       setval(pg_get_serial_sequence('orders', 'id'), (SELECT max(id) FROM orders)),
       setval(pg_get_serial_sequence('reviews', 'id'), (SELECT max(id) FROM reviews));

COMMIT;
ANALYZE customers, products, orders, order_lines, reviews;
