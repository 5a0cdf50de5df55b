CREATE TABLE notes (at timestamptz, line text);
