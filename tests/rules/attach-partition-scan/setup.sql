-- A partitioned table with a default partition, and a table that is to become a partition.
CREATE TABLE events (at integer NOT NULL, what text) PARTITION BY RANGE (at);
CREATE TABLE events_old PARTITION OF events FOR VALUES FROM (0) TO (10);
INSERT INTO events VALUES (1, 'a'), (2, 'b');
CREATE TABLE events_new (at integer NOT NULL, what text);
INSERT INTO events_new VALUES (10, 'c'), (19, 'd');
