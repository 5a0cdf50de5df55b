CREATE TABLE fresh (id integer);
ALTER TABLE fresh SET TABLESPACE pg_default;
