ALTER TYPE status ADD VALUE 'former';
CREATE TYPE fresh AS ENUM ('low');
ALTER TYPE fresh RENAME VALUE 'low' TO 'minor';
