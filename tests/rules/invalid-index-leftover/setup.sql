-- What a CREATE UNIQUE INDEX CONCURRENTLY over duplicates leaves behind.
CREATE TABLE words (word text);
INSERT INTO words VALUES ('a'), ('a');
CREATE INDEX ux_words ON words (word);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ux_words'::regclass;
