-- needs: catalog
DELETE FROM logs WHERE level = 'error';
DELETE FROM logs WHERE id % 3 = 0;
