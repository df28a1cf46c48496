"""Small archives that note what they get and behave as they are told, one for each protocol.

How one behaves is data (`behaviour.py`). Each opens and closes on the same port, and both count in
the same way (`holdings.py`).
"""
