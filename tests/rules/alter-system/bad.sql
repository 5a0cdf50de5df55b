ALTER ROLE CURRENT_USER SET statement_timeout = '1h';
ALTER ROLE CURRENT_USER RESET statement_timeout;
