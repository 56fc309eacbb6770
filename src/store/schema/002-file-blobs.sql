-- The files of a tool use and their git blob hashes after it: JSON, [{"path":…,"blob":…}].
ALTER TABLE pending_messages ADD COLUMN files TEXT;
