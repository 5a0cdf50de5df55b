-- one transaction
LOCK TABLE users IN ROW EXCLUSIVE MODE;
SELECT * FROM users WHERE id = 1 FOR UPDATE;
