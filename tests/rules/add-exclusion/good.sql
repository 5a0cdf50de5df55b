CREATE TABLE fresh (id bigint);
ALTER TABLE fresh ADD CONSTRAINT one_each EXCLUDE USING btree (id WITH =);
