ALTER TABLE users ADD CONSTRAINT users_age_known CHECK (age > 0) NOT VALID;
