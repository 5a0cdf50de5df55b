-- needs: catalog
UPDATE logs SET level = 'debug' WHERE level = 'info';
