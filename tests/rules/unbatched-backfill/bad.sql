UPDATE orders SET user_id = user_id WHERE user_id > 0;
