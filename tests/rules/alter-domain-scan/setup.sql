CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TABLE scores (points positive);
INSERT INTO scores VALUES (1);
