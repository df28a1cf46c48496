"""Small archives that note what they get and misbehave on demand, one for each protocol.

Each opens and closes on the same port. `sent` counts and `holds` tells what it shows when asked,
both by SOP Instance UID.
"""
