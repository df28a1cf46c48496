"""What leaves the disk, a copy of all, and lost records made again."""
