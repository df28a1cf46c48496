"""hilum.toml was changed, and cannot be followed."""

from collections.abc import Iterator

from hilum.alarms.alarm import Alarm, Facts
from hilum.config.versions import SettingsVersions
from hilum.severity import Severity


def alarms(facts: Facts) -> Iterator[Alarm]:
    """The refusal of each machine."""
    for refusal in SettingsVersions(facts.site.data).refusals():
        yield Alarm(
            "settings",
            Severity.ERROR,
            f"hilum.toml was changed and is not followed: {refusal.reason}",
            "correct it until `hilum check` has nothing to say: it is followed within seconds; "
            "until then Hilum goes on with what it said before",
            since=refusal.at,
        )
        return
