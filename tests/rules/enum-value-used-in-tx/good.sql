-- one transaction
ALTER TYPE status ADD VALUE 'broken';
INSERT INTO users (id, state, name) VALUES (7, 'new', 'not broken');
