CREATE FUNCTION double(x integer) RETURNS integer LANGUAGE sql AS 'SELECT x * 2';
CREATE FUNCTION double(x numeric, y numeric DEFAULT 2) RETURNS numeric LANGUAGE sql AS 'SELECT x * y';
