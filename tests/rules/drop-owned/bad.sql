CREATE ROLE tidegate_bad_example;
DROP OWNED BY tidegate_bad_example;
DROP ROLE tidegate_bad_example;
