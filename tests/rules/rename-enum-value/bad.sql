ALTER TYPE status RENAME VALUE 'old' TO 'former';
