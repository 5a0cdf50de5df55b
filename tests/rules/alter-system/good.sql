SET LOCAL statement_timeout = '5s';
CREATE ROLE tidegate_setting_example;
ALTER ROLE tidegate_setting_example SET statement_timeout = '5s';
DROP ROLE tidegate_setting_example;
