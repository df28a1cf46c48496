"""One attempt at one delivery: `handover.py` hands over, `proving.py` shows that it has arrived.

An object that a destination has taken is only asked for from then on. It is sent again if a person
wants it, if the setting `resend_after` does, or if nobody knows whether it was taken and the
destination does not show it.
"""
