"""A process of ours dies again and again."""

import signal
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby

from hilum.alarms.alarm import Alarm, Facts
from hilum.processes.deaths import KEPT_SECONDS, Death, deaths_in
from hilum.severity import Severity

AGAIN_AND_AGAIN = 5  # deaths within the last ten minutes
WITHOUT_THEM_NOTHING_GOES = ("receiver", "gateway")


def alarms(facts: Facts) -> Iterator[Alarm]:
    """Each process of which that is so."""
    deaths = sorted(deaths_in(facts.site.data, facts.now), key=lambda death: death.process)
    for process, group in groupby(deaths, key=lambda death: death.process):
        of_it = list(group)  # in their order, as sorting keeps it
        if len(of_it) < AGAIN_AND_AGAIN:
            continue
        severe = process in WITHOUT_THEM_NOTHING_GOES
        log, minutes = facts.site.data / "logs" / "hilum.log", KEPT_SECONDS / 60
        yield Alarm(
            f"process {process}",
            Severity.CRITICAL if severe else Severity.ERROR,
            f"{process} of Hilum has died {len(of_it)} times within {minutes:.0f} minutes, the "
            f"last time {_how(of_it[-1])}; it is started again each time",
            f"the last lines before that in {log} say why; if it was SIGKILL, the machine may "
            f"lack memory; this alarm ends {minutes:.0f} minutes after the deaths do",
            since=of_it[0].at,
        )


def _how(death: Death) -> str:
    code = death.exit_code or 0
    with suppress(ValueError):
        if code < 0:
            return f"by {signal.Signals(-code).name}"
    return f"with exit code {code}"
