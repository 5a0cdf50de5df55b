CREATE INDEX ix_events_what ON ONLY events (what);
CREATE INDEX CONCURRENTLY ix_events_old_what ON events_old (what);
ALTER INDEX ix_events_what ATTACH PARTITION ix_events_old_what;
