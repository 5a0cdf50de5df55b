UPDATE orders SET user_id = NULL WHERE id IN (1, 2, 3);
