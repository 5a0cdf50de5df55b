-- one transaction
CREATE TABLE notes (id bigint PRIMARY KEY);
COMMIT;
