-- Of a tool's use: its files as they were when it was over, JSON, [{"path":…,"blob":…}].
ALTER TABLE pending_messages ADD COLUMN files TEXT;
