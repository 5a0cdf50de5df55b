REINDEX TABLE users;
REINDEX INDEX ix_users_email;
