-- needs: catalog
ALTER TABLE events_1 ADD CONSTRAINT known CHECK (what <> '') NOT VALID;
CREATE INDEX ix_events_what ON ONLY events (what);
