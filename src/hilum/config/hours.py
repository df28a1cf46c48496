"""Hours of the day, such as 22:00-06:00, by the clock of this machine."""

import re
import time
from datetime import datetime, timedelta
from typing import Annotated

from pydantic import AfterValidator

SPELLING = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


def _hours(value: str) -> str:
    if not SPELLING.fullmatch(value) or value[:5] == value[6:]:
        raise ValueError("two different times of the day, such as 22:00-06:00")
    return value


Hours = Annotated[str, AfterValidator(_hours)]


def in_words(hours: str) -> str:
    """`hours` in the middle of a sentence."""
    return f"between {hours[:5]} and {hours[6:]}"


def is_within(hours: str, at: float) -> bool:
    """Whether the time `at` (s since 1970) lies in `hours`; the minute that ends them does not."""
    begin, end, now = hours[:5], hours[6:], time.strftime("%H:%M", time.localtime(at))
    return begin <= now < end if begin < end else now >= begin or now < end


def next_begin(hours: str, at: float) -> float:
    """When `hours` begin next after the time `at`, both in s since 1970."""
    begin = _begin_on(hours, at, 0)
    return begin if begin > at else _begin_on(hours, at, 1)


def last_begin(hours: str, at: float) -> float:
    """When `hours` began last, at the time `at` or before."""
    begin = _begin_on(hours, at, 0)
    return begin if begin <= at else _begin_on(hours, at, -1)


def _begin_on(hours: str, at: float, days: int) -> float:
    """When they begin on the day of `at`, or so many days later."""
    hour, minute = map(int, hours[:5].split(":"))
    day = datetime.fromtimestamp(at) + timedelta(days=days)
    return day.replace(hour=hour, minute=minute, second=0, microsecond=0).timestamp()
