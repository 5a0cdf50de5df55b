CREATE VIEW people AS SELECT id, name, (SELECT count(*) FROM orders) AS orders FROM users;
