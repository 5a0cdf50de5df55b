CREATE TABLE tickets (id serial PRIMARY KEY);
CREATE TABLE letters (id bigserial PRIMARY KEY);
CREATE TABLE calls (id serial PRIMARY KEY);
INSERT INTO tickets VALUES (1);
SELECT setval('tickets_id_seq', 1900000000), setval('letters_id_seq', 1900000000), setval('calls_id_seq', 1000);
