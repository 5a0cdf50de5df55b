-- needs: catalog
CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ux_words ON words (word);
