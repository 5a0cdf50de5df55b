DROP DATABASE IF EXISTS there_is_no_such_database;
