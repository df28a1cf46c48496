"""The faults; each file holds those of one kind."""
