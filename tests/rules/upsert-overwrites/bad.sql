INSERT INTO users (id, email) SELECT id, 'x' FROM users ON CONFLICT (id) DO UPDATE SET email = excluded.email;
