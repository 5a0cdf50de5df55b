CREATE TABLE fresh (id integer);
CREATE TRIGGER quiet BEFORE UPDATE ON fresh FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
