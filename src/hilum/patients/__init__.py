"""Whose the images are: corrections of patient data, from the sender or the hospital."""
