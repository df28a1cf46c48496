"""The steps, by number; each says what it changes and why."""
