-- one transaction
ALTER TYPE status ADD VALUE 'broken';
INSERT INTO users (id, state) VALUES (7, 'broken');
