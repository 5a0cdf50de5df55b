UPDATE users SET email = NULL WHERE 1 = 1;
