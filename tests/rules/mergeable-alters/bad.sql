-- one transaction
ALTER TABLE users ADD CONSTRAINT users_age_known CHECK (age > 0);
ALTER TABLE users ADD CONSTRAINT users_price_known CHECK (price > 0);
