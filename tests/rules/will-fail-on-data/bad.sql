-- needs: catalog
ALTER TABLE people ADD CONSTRAINT people_name_key UNIQUE (name);
