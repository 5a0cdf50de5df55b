-- needs: catalog
DELETE FROM logs AS l WHERE l.level = 'info' AND length(level) < 9;
