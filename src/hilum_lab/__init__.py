"""What tries Hilum and never runs in a hospital. It imports `hilum`, never the other way."""
