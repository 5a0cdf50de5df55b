-- needs: catalog
DELETE FROM notes WHERE user_id = 1;
DELETE FROM orgs WHERE id = 1;
