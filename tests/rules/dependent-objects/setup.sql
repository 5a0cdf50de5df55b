CREATE TABLE users (id bigint PRIMARY KEY, age integer, price numeric, state text);
CREATE TABLE offers (id bigint PRIMARY KEY, price numeric);
INSERT INTO users VALUES (1, 30, 1.5, 'old');
CREATE VIEW prices AS SELECT id, price FROM users;
CREATE FUNCTION grown(bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT u.age >= 18 FROM users AS u WHERE u.id = $1);  -- of users, not by price
END $$;
CREATE FUNCTION offered() RETURNS numeric LANGUAGE sql AS 'SELECT max(o.price) FROM offers o JOIN users u USING (id)';
