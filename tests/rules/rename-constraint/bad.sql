ALTER TABLE orders RENAME CONSTRAINT orders_user_fkey TO orders_of_user;
