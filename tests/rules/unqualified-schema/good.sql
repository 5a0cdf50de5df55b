SET search_path = app;
CREATE TABLE public.notes (id bigint PRIMARY KEY);
CREATE TEMPORARY TABLE scratch (id bigint);
RESET search_path;
CREATE TABLE letters (id bigint PRIMARY KEY);
