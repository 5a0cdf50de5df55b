VACUUM (ANALYZE) users;
VACUUM (FULL false) users;
