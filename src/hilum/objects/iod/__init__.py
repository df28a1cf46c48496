"""SOP instances: findings as the standard writes them, and our own reports read back."""
