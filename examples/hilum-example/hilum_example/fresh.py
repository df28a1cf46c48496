"""A module host: a child process that ends after every study."""

from collections.abc import Callable
from typing import Literal

from pydantic import Field

from hilum.config.kinds import HostSettings
from hilum.hosts import Job, Place, in_child, open_host


class FreshHostSettings(HostSettings):
    """For modules that keep what they should not, such as memory or a licence."""

    kind: Literal["fresh"] = Field("fresh", description="A child process for each study.")


class FreshHost:
    """The usual child process, closed after each run."""

    settings = FreshHostSettings

    def __init__(self, settings: FreshHostSettings, place: Place) -> None:
        self._child = open_host(in_child(settings.module), place)

    def start(self) -> None:
        """Nothing: the process of the next study begins with it."""

    def run(self, job: Job, is_wanted: Callable[[], bool] = lambda: True) -> None:
        try:
            self._child.run(job, is_wanted)
        finally:
            self._child.close()

    def close(self) -> None:
        self._child.close()
