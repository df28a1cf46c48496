"""It cannot be written down who did what, or a collector of audit messages is not told."""

from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.audit import AuditStore, audit_file
from hilum.audit.gaps import Gaps
from hilum.audit.store import CollectorStanding
from hilum.errors import HilumError
from hilum.severity import Severity

A_WHILE = 900.0  # s; a restart of a collector takes less
PATIENCE = 1.0  # s, with another process that writes
CURE = "pages can be looked at meanwhile, and every other act is refused"


def alarms(facts: Facts) -> Iterator[Alarm]:
    """The trail itself, and each collector of the settings that was not told for a while."""
    try:
        gap = Gaps(facts.site.data).now()
        store = AuditStore(audit_file(facts.site.data), PATIENCE)
        standings = store.standings()
        store.close()
    except (OSError, ValueError, HilumError) as error:
        text = f"the audit trail cannot be read: {error}"
        yield Alarm("audit", Severity.ERROR, text, f"do what it says; {CURE}")
        return
    if gap.count:
        text = f"who opened a page with patient data is not written down: {gap.text}"
        cure = f"do what it says; {CURE}"
        yield Alarm("audit", Severity.ERROR, text, cure, gap.since)
    for name in facts.site.audit.listeners:
        yield from _behind(name, standings.get(name, CollectorStanding()), facts.now)


def _behind(name: str, standing: CollectorStanding, now: float) -> Iterator[Alarm]:
    since = standing.failing_since
    if since is not None and now - since >= A_WHILE:
        yield Alarm(
            f"audit {name}",
            Severity.ERROR,
            f"audit messages do not reach {name}: {standing.problem}",
            "nothing is lost: they are kept here and sent as soon as it takes them",
            since,
        )
