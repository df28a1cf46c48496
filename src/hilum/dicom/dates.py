"""Dates as DICOM writes them."""

import re
from datetime import date, datetime

OLDEST = date(1900, 1, 1)  # nobody was imaged before; some devices fill unknown dates with ones


def day_of(stated: object) -> date | None:
    """A DA value (PS3.5 6.2) as a date; None if it is none, or no date of an exam or a birth."""
    text = str(stated or "").strip()
    if not re.fullmatch(r"\d{8}", text, re.ASCII):
        return None
    try:
        day = datetime.strptime(text, "%Y%m%d").date()
    except ValueError:
        return None
    return day if day >= OLDEST else None
