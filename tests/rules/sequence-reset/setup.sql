CREATE TABLE orders (id bigserial PRIMARY KEY, note text);
INSERT INTO orders (note) SELECT 'x' FROM generate_series(1, 5);
