-- needs: catalog
CREATE TABLE events_next PARTITION OF events FOR VALUES FROM (20) TO (30);
