-- needs: catalog
CREATE INDEX CONCURRENTLY ix_events_what ON events (what);
