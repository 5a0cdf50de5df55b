-- needs: catalog
DROP INDEX uq_users_email;
