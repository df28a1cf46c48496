"""The disk of the data folder has too little room for more images."""

from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.inbox.room import free_mib, is_low
from hilum.severity import Severity


def alarms(facts: Facts) -> Iterator[Alarm]:
    """Less is free than `receiver.low_water_mb`."""
    data = facts.site.data
    if is_low(data, facts.site.receiver.low_water_mb):
        free, wanted = free_mib(data), max(1, facts.site.receiver.low_water_mb)
        yield Alarm(
            "disk",
            Severity.CRITICAL,
            f"the disk has too little room: {free} MiB are free on that of {data}, {wanted} are "
            "wanted (receiver.low_water_mb); images are refused with 0xA700 and none is fetched",
            "make room on that disk; both go on by themselves then",
        )
