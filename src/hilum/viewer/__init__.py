"""The OHIF viewer in front of a PACS: a program that serves both from one origin, and its settings.

`proxy.py` is started by its path and imports nothing of Hilum, so that it starts in half a second.
"""
