"""What this package adds to Hilum: one file for each kind."""
