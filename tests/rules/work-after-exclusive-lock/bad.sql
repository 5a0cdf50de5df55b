-- one transaction
ALTER TABLE orgs ADD COLUMN nick text;
ALTER TABLE orders ADD CONSTRAINT orders_user_known CHECK (user_id > 0);
