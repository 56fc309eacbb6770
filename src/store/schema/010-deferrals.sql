-- Which backend, with which settings, a deferred message waits for. NULL: for its time only.
ALTER TABLE pending_messages ADD COLUMN waits_for TEXT;
