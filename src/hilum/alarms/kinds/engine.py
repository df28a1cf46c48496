"""Nothing moves: the gateway gives no sign of life, or analyses wait and none begins."""

import math
from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.records.states import PausedKind, WorkitemState
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
    yield from _still(facts, last.get("worker", 0.0))


def _still(facts: Facts, worker_at: float) -> Iterator[Alarm]:
    """Analyses wait or have begun, and none goes on.

    Those of modules that a person has disabled, those that are kept for other hours, and those that
    are to be given the findings of others, are to wait. `worker_at` is the last sign of life of a
    worker.
    """
    workitems, hours = facts.records.workitems, OpenHours(facts.site.rule)
    running = workitems.in_state(WorkitemState.RUNNING)
    began = [item.created for item in running if item.failure is None]  # no server is away
    may_begin, number = [], 0
    for waiting in workitems.waiting(facts.records.pauses.of(PausedKind.MODULE)):
        opened = hours.since(waiting, facts.now)
        if opened < math.inf and not waiting.for_findings:
            may_begin.append(max(waiting.oldest, opened))
            number += waiting.number
    if may_begin:
        enabled = facts.records.pauses.ended(PausedKind.MODULE).values()
        may_begin = [max(min(may_begin), *enabled, 0.0)]
    since = max(min(began + may_begin, default=facts.now), worker_at)
    if facts.now - since > SILENT_SECONDS:
        number += len(began)
        text, cure = "no worker runs", "start `hilum serve`, or `hilum serve --role worker`"
    elif may_begin:
        patience = max(STILL_SECONDS, 2 * facts.site.worker.timeout_seconds)
        since = max(*may_begin, facts.records.events.last_moved())
        if facts.now - since <= patience:
            return
        text, cure = "workers run, and begin none of them", "restart `hilum serve`"
    else:
        return
    yield Alarm(
        "engine",
        Severity.CRITICAL,
        f"{counted(number, 'analysis')} wait{'s' if number == 1 else ''}: {text}",
        f"{cure}; no analysis is lost",
        since,
    )
