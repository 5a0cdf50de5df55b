CREATE TEMP TABLE orders (id int);
TRUNCATE orders;
