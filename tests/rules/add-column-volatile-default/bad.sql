CREATE FUNCTION token() RETURNS text LANGUAGE sql VOLATILE RETURN md5(random()::text);
ALTER TABLE users ADD COLUMN code uuid DEFAULT gen_random_uuid();
ALTER TABLE orgs ADD COLUMN code text DEFAULT token();
