DROP TRIGGER lower_name ON users;
