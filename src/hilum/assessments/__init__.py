"""What readers say of results: by whom it can be said, and who is told."""
