GRANT ALL ON orders TO PUBLIC;
CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM orders';
CREATE ROLE tidegate_mighty_example SUPERUSER;
DROP ROLE tidegate_mighty_example;
