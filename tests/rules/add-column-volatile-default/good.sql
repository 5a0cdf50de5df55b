CREATE FUNCTION region() RETURNS text LANGUAGE sql STABLE RETURN 'eu';
ALTER TABLE users ADD COLUMN made_at timestamptz NOT NULL DEFAULT now();
ALTER TABLE orgs ADD COLUMN region text DEFAULT region();
ALTER TABLE orgs ADD COLUMN code uuid;
ALTER TABLE orgs ALTER COLUMN code SET DEFAULT gen_random_uuid();
