-- one transaction
LOCK TABLE users;
