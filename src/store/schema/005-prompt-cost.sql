-- What a message costs in a model's prompt, measured before it was accepted. NULL: not measured.
ALTER TABLE pending_messages ADD COLUMN prompt_events INTEGER;
ALTER TABLE pending_messages ADD COLUMN prompt_bytes INTEGER;
