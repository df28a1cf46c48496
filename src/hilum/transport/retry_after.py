"""How long a web service wants not to be asked again: the header Retry-After (RFC 9110 10.2.3)."""

from datetime import UTC
from email.utils import parsedate_to_datetime

LONGEST_SECONDS = 1800.0  # half an hour, as between attempts that fail; it may be in a bad way
LONGEST_TEXT = 40  # characters


def seconds_in(header: str, now: float) -> float:
    """The pause in s, from a number or from a date; `now` is in s since 1970. 0 if it says none."""
    text = header.strip()[:LONGEST_TEXT]
    if text.isascii() and text.isdecimal():
        return min(float(text), LONGEST_SECONDS)
    try:
        date = parsedate_to_datetime(text)
        date = date if date.tzinfo else date.replace(tzinfo=UTC)
        pause = date.timestamp() - now
    except (ValueError, OverflowError):
        return 0.0
    return min(max(pause, 0.0), LONGEST_SECONDS)
