"""One study, from its last image to the verified result: `flow.py` is the file to read first."""
