INSERT INTO users (id) SELECT id FROM orders ON CONFLICT DO NOTHING;
INSERT INTO users (id, email) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET email = coalesce(users.email, excluded.email);
INSERT INTO users (id, email) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET email = 'x' WHERE users.email IS NULL;
