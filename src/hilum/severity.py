"""How grave an alarm is, and what is told of it."""

from enum import StrEnum


class Severity(StrEnum):
    """How grave an alarm is, the mildest first."""

    INFORMATION = "information"  # somebody wanted it so, and it must not be forgotten
    WARNING = "warning"  # a person has to look or to decide; nothing is lost meanwhile
    ERROR = "error"  # some images or results do not get through until somebody acts
    CRITICAL = "critical"  # images are refused, or nothing is analysed or delivered any more

    def reaches(self, least: "Severity") -> bool:
        """Whether it is at least as grave as `least`."""
        order = list(Severity)
        return order.index(self) >= order.index(least)


class AlarmChange(StrEnum):
    """What is told of an alarm."""

    BEGAN = "began"
    STILL = "still"  # it has stood for a day since it was last told
    ENDED = "ended"
