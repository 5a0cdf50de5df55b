CREATE TABLE secrets (id integer, owner text);
INSERT INTO secrets VALUES (1, 'anna');
CREATE POLICY own ON secrets USING (owner = current_user);
ALTER TABLE secrets ENABLE ROW LEVEL SECURITY;
