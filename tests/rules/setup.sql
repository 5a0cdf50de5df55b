-- What every example finds in place: tables with rows, a key between them, and one of each other thing.
CREATE TYPE status AS ENUM ('old', 'new');
CREATE SEQUENCE ticket;
CREATE TABLE orgs (id integer PRIMARY KEY, name text NOT NULL);
CREATE TABLE users (
    id bigint PRIMARY KEY,
    org_id integer,
    email varchar(200),
    name text,
    age integer,
    price numeric(12, 4),
    active boolean NOT NULL DEFAULT true,
    state status
);
CREATE TABLE orders (
    id bigserial PRIMARY KEY,
    user_id bigint CONSTRAINT orders_user_fkey REFERENCES users (id)
);
CREATE INDEX ix_users_email ON users (email);
CREATE VIEW active_users AS SELECT * FROM orgs;
CREATE SCHEMA app;
CREATE TABLE app.log (id bigint);
INSERT INTO orgs VALUES (1, 'one');
INSERT INTO users (id, org_id, email, name, age, price, state) VALUES (1, 1, 'Anna@x', 'anna', 30, 1.5, 'old');
INSERT INTO orders (user_id) VALUES (1);
INSERT INTO app.log VALUES (1);
