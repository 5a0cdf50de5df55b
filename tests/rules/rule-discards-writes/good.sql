CREATE RULE copied AS ON INSERT TO orders DO ALSO INSERT INTO app.log (id) VALUES (new.id);
