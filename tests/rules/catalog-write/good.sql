ALTER TYPE status ADD VALUE 'newer';
