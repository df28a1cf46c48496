"""Nothing moves: the gateway gives no sign of life, or analyses wait and none begins."""

from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.records.states import PausedKind, WorkitemState
from hilum.severity import Severity
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

    Those of modules that a person has disabled are to wait. `worker_at` is the last sign of life
    of a worker.
    """
    disabled = facts.records.pauses.of(PausedKind.MODULE)
    workitems = facts.records.workitems
    begun = workitems.oldest_in_state(WorkitemState.RUNNING)
    waiting = workitems.oldest_in_state(WorkitemState.SCHEDULED, disabled)
    if waiting is not None:
        enabled = facts.records.pauses.ended(PausedKind.MODULE).values()
        waiting = max(waiting, *enabled, 0.0)
    oldest = [at for at in (begun, waiting) if at is not None]
    since = max(min(oldest, default=facts.now), worker_at)
    if facts.now - since > SILENT_SECONDS:
        text, cure = "no worker runs", "start `hilum serve`, or `hilum serve --role worker`"
    elif waiting is not None:
        patience = max(STILL_SECONDS, 2 * facts.site.worker.timeout_seconds)
        since = max(waiting, facts.records.events.last_moved())
        if facts.now - since <= patience:
            return
        text, cure = "workers run, and begin none of them", "restart `hilum serve`"
    else:
        return
    count = sum(
        number
        for (module, state), number in workitems.waiting().items()
        if state is WorkitemState.RUNNING
        or (state is WorkitemState.SCHEDULED and module not in disabled)
    )
    yield Alarm(
        "engine",
        Severity.CRITICAL,
        f"{counted(count, 'analysis')} wait{'s' if count == 1 else ''}: {text}",
        f"{cure}; no analysis is lost",
        since,
    )
