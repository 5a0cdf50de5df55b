DO $$ BEGIN EXECUTE 'DROP TABLE ' || (SELECT relname FROM pg_class WHERE relname = 'orders'); END $$;
