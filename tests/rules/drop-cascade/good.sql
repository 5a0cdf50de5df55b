DROP VIEW active_users;
CREATE TYPE mood AS ENUM ('good', 'bad');
DROP TYPE mood CASCADE;
