"""An archive cannot be watched, or nobody watches it."""

from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.config.kinds import SourceSettings
from hilum.records.models.standings import SourceStanding
from hilum.records.states import PausedKind, SourceState
from hilum.severity import Severity

A_WHILE = 300.0  # s; a restart of an archive takes less


def alarms(facts: Facts) -> Iterator[Alarm]:
    """Each source of the settings of which that is so for a while."""
    standings = facts.records.sources.all()
    for settings, resumed in facts.unpaused(PausedKind.SOURCE, facts.site.source):
        standing = standings.get(settings.name)
        if standing is None:  # nobody watches it
            continue
        if standing.state is SourceState.REACHABLE:
            yield from _unwatched(facts.now, settings, standing, resumed)
        elif facts.now - max(standing.since, resumed) >= A_WHILE:
            yield _alarm(
                settings.name,
                f"source {settings.name} cannot be watched ({standing.state}): its new images do "
                "not come by themselves",
                "`hilum sources` asks it and says what is wrong; what was missed is fetched as "
                "soon as it answers",
                standing.since,
            )


def _unwatched(
    now: float, settings: SourceSettings, standing: SourceStanding, resumed: float
) -> Iterator[Alarm]:
    """It answered, but long ago: its watcher hangs, or does not run."""
    last = max(standing.seen_at or standing.since, resumed)
    if now - last >= A_WHILE + 2 * max(settings.poll_seconds, settings.timeout_seconds):
        text = f"nobody watches source {settings.name}: its new images do not come by themselves"
        cure = "restart `hilum serve`, with the role watcher; what was missed is fetched then"
        yield _alarm(settings.name, text, cure, last)


def _alarm(name: str, text: str, cure: str, since: float) -> Alarm:
    return Alarm(f"source {name}", Severity.ERROR, text, cure, since)
