"""How the deliveries of the last day went, hour by hour, for each destination."""

from collections.abc import Sequence
from dataclasses import dataclass

from hilum.records import Records
from hilum.records.flowing import Backlog, OwedDelivery
from hilum.records.states import ARRIVED, PARKED

HOURS = 24
HOUR = 3600.0
LATE_SECONDS = 600.0  # from when a delivery was owed; what takes longer is late


@dataclass(frozen=True)
class HourOfDeliveries:
    """What became of the deliveries that were owed in one hour.

    `delivered` arrived in time, `late` ones did not, or not yet; `failed` ones wait for a person,
    and those `under_way` still have time.
    """

    delivered: int
    late: int
    failed: int
    under_way: int

    @property
    def total(self) -> int:
        """How many there are together."""
        return self.delivered + self.late + self.failed + self.under_way


@dataclass(frozen=True)
class DestinationStrip:
    """The last day of one destination, the latest hour last.

    `backlog` is what it still is to have, and `rate` how much arrived in the last hour.
    """

    hours: tuple[HourOfDeliveries, ...]
    backlog: Backlog
    rate: int

    @property
    def day(self) -> HourOfDeliveries:
        """The same of the whole day."""
        names = ("delivered", "late", "failed", "under_way")
        sums = (sum(getattr(hour, name) for hour in self.hours) for name in names)
        return HourOfDeliveries(*sums)

    @property
    def most(self) -> int:
        """How many deliveries were owed in the busiest hour."""
        return max(hour.total for hour in self.hours)


def strips_of(
    records: Records, destinations: Sequence[str], now: float
) -> dict[str, DestinationStrip]:
    """The strip of each of `destinations` at `now` (s since 1970)."""
    since = now - HOURS * HOUR
    backlogs = records.flow.backlogs()
    owed = records.flow.owed_since(since)
    arrived = records.flow.arrived_since(now - HOUR)
    return {
        name: DestinationStrip(
            _hours([one for one in owed if one.destination == name], since, now),
            backlogs.get(name, Backlog(0, None)),
            arrived.get(name, 0),
        )
        for name in destinations
    }


def _hours(owed: Sequence[OwedDelivery], since: float, now: float) -> tuple[HourOfDeliveries, ...]:
    groups: list[list[OwedDelivery]] = [[] for _ in range(HOURS)]
    for one in owed:
        groups[min(HOURS - 1, max(0, int((one.owed_at - since) / HOUR)))].append(one)
    return tuple(_hour(group, now) for group in groups)


def _hour(owed: Sequence[OwedDelivery], now: float) -> HourOfDeliveries:
    failed = [one for one in owed if one.state in PARKED]
    others = [one for one in owed if one.state not in PARKED]
    late = [one for one in others if _seconds(one, now) > LATE_SECONDS]
    in_time = [one for one in others if _seconds(one, now) <= LATE_SECONDS]
    delivered = sum(one.state in ARRIVED for one in in_time)
    return HourOfDeliveries(delivered, len(late), len(failed), len(in_time) - delivered)


def _seconds(one: OwedDelivery, now: float) -> float:
    """How long it took, or takes since."""
    end = one.shown_at if one.state in ARRIVED and one.shown_at is not None else now
    return end - one.owed_at
