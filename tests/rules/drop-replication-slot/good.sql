SELECT slot_name, active FROM pg_replication_slots WHERE slot_name = 'tidegate_none';
