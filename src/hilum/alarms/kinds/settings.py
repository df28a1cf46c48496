"""hilum.toml was changed, and cannot be followed."""

from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.config.versions import SettingsVersions
from hilum.severity import Severity


def alarms(facts: Facts) -> Iterator[Alarm]:
    """One, however many machines refuse it."""
    for refusal in SettingsVersions(facts.site.data).refusals()[:1]:
        yield Alarm(
            "settings",
            Severity.ERROR,
            f"hilum.toml was changed and is not followed: {refusal.reason}",
            "correct it until `hilum check` has nothing to say: it is followed within seconds; "
            "until then Hilum goes on with what it said before",
            since=refusal.at,
        )
