-- one transaction
ALTER TABLE users SET SCHEMA app;
CREATE VIEW public.users AS SELECT * FROM app.users;
