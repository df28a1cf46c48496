"""The pages of the console: one file each, with its `endpoints`."""
