"""Nothing moves: the gateway gives no sign of life, or analyses wait and none begins."""

import math
from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.records.states import PausedKind
from hilum.severity import Severity
from hilum.study.hours import OpenHours
from hilum.wording import counted

SILENT_SECONDS = 60.0  # a process gives a sign of life every ten
STILL_SECONDS = 900.0  # for which analyses wait and none begins, with a worker alive


def alarms(facts: Facts) -> Iterator[Alarm]:
    """What has stopped."""
    last = facts.records.executors.last_signs()
    if "gateway" in last and facts.now - last["gateway"] > SILENT_SECONDS:
        yield Alarm(
            "gateway",
            Severity.CRITICAL,
            "the gateway gives no sign of life: nothing is decided, and nothing is delivered",
            "start `hilum serve`, or restart it where it runs; the images that came meanwhile are "
            "found then",
            since=last["gateway"],
        )
    enabled = facts.records.pauses.ended(PausedKind.MODULE).values()
    hours = OpenHours(facts.site.rule)
    since, number = [], 0
    for waiting in facts.records.workitems.waiting(facts.records.pauses.of(PausedKind.MODULE)):
        if (may_begin := hours.since(waiting, facts.now)) < math.inf:
            since.append(max(waiting.oldest, may_begin))
            number += waiting.number
    if since:
        yield from _still(facts, max(min(since), *enabled, 0.0), number, last.get("worker", 0.0))


def _still(facts: Facts, waiting: float, number: int, worker_at: float) -> Iterator[Alarm]:
    """So many analyses wait, the oldest since `waiting`; none of them is to wait.

    `worker_at` is the last sign of life of a worker.
    """
    since = max(waiting, worker_at)
    if facts.now - since > SILENT_SECONDS:
        text, cure = "no worker runs", "start `hilum serve`, or `hilum serve --role worker`"
    else:
        patience = max(STILL_SECONDS, 2 * facts.site.worker.timeout_seconds)
        since = max(waiting, facts.records.events.last_moved())
        if facts.now - since <= patience:
            return
        text, cure = "workers run, and begin none of them", "restart `hilum serve`"
    yield Alarm(
        "engine",
        Severity.CRITICAL,
        f"{counted(number, 'analysis')} wait{'s' if number == 1 else ''}: {text}",
        f"{cure}; no analysis is lost",
        since,
    )
