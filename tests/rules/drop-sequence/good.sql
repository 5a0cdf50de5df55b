CREATE SEQUENCE fresh_numbers;
DROP SEQUENCE fresh_numbers;
DROP SEQUENCE IF EXISTS fresh_numbers;
