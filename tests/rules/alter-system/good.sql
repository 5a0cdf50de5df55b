SET LOCAL statement_timeout = '5s';
CREATE ROLE tidegate_good_example;
ALTER ROLE tidegate_good_example SET statement_timeout = '5s';
DROP ROLE tidegate_good_example;
