CREATE POLICY second ON secrets USING (owner = current_user);
DROP POLICY second ON secrets;
DROP POLICY IF EXISTS own ON secrets;
CREATE POLICY own ON secrets USING (owner = session_user);
