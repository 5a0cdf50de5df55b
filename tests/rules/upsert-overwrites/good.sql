INSERT INTO users (id, email) VALUES (1, 'x') ON CONFLICT (id) DO UPDATE SET email = excluded.email;
INSERT INTO users (id) SELECT id FROM orders ON CONFLICT DO NOTHING;
