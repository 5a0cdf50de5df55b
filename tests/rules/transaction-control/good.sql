-- one transaction
CREATE TABLE notes (id bigint PRIMARY KEY);
SAVEPOINT before_more;
ROLLBACK TO SAVEPOINT before_more;
