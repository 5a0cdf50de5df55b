CREATE ROLE tidegate_good_example;
REASSIGN OWNED BY tidegate_good_example TO current_user;
DROP ROLE tidegate_good_example;
