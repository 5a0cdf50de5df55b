CREATE TABLE boxes (a integer, b integer, area integer GENERATED ALWAYS AS (a * b) STORED);
INSERT INTO boxes VALUES (1, 2);
