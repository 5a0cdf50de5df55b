-- needs: catalog
DROP INDEX ix_users_email, uq_users_name;
CREATE UNIQUE INDEX uq_users_email_v2 ON users (email);
DROP INDEX uq_users_email;
