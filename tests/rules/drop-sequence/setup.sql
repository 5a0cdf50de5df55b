CREATE SEQUENCE ticket;
SELECT nextval('ticket');
