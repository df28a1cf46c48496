"""What a person asks for, and how it is done: one file an act."""
