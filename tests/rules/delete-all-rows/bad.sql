DELETE FROM orders WHERE id = id;
