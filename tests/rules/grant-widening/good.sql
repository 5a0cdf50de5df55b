CREATE TABLE fresh (id integer);
GRANT ALL ON fresh TO current_user;
GRANT SELECT, INSERT ON orders TO pg_monitor;
REVOKE ALL ON orders FROM PUBLIC;
CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, public
    AS 'SELECT count(*) FROM public.orders';
ALTER FUNCTION peek() SECURITY DEFINER SET search_path = pg_catalog;
