CREATE OR REPLACE FUNCTION double(x integer) RETURNS integer LANGUAGE sql AS 'SELECT x + x';
CREATE PROCEDURE passing() LANGUAGE sql AS 'SELECT 1';
DROP PROCEDURE passing();
DROP FUNCTION double(integer);
CREATE FUNCTION double(x integer) RETURNS bigint LANGUAGE sql AS 'SELECT x * 2';
