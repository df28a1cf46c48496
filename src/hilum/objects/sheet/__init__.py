"""What people look at: the pictures and the printed pages of a report."""
