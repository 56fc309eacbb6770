-- The salt of a hash that another store made, and that an export brought here. NULL: the salt of this one.
ALTER TABLE rejected ADD COLUMN salt TEXT;
ALTER TABLE closed_steps ADD COLUMN salt TEXT;
