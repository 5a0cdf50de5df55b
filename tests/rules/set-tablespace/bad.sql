SET allow_in_place_tablespaces = on;
CREATE TABLESPACE t_rules_fast LOCATION '';
ALTER TABLE users SET TABLESPACE t_rules_fast;
ALTER TABLE users SET TABLESPACE pg_default;
DROP TABLESPACE t_rules_fast;
