"""Who uses Hilum, and who may do what."""
