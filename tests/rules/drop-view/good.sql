CREATE OR REPLACE VIEW active_users AS SELECT id, name, 1 AS one FROM orgs;
CREATE VIEW passing AS SELECT 1 AS one;
DROP VIEW passing;
DROP VIEW IF EXISTS active_users;
CREATE VIEW active_users AS SELECT name FROM orgs;
