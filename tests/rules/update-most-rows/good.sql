-- needs: catalog
UPDATE logs SET note = 'x' WHERE level = 'info';
UPDATE logs SET level = level WHERE level = 'info';
UPDATE logs SET level = 'warning' WHERE level = 'error';
