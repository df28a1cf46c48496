"""Where results go. A destination sends, and shows what it holds: delivered means read back.

Each kind is one file beside this one, or in another package: its settings and its class, found by
an entry point of the group `hilum.destinations` (see `hilum.kinds`).
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from hilum.config.kinds import DestinationSettings
from hilum.errors import DeliveryDelayed, DeliveryRefused
from hilum.kinds import DESTINATIONS
from hilum.results import Result

CALL_SECONDS = 5.0  # longest wait for the answer to a call


class Destination(Protocol):
    """What a kind of destination does, opened with the settings of its own class `settings`.

    What is slow to import belongs into the methods: whoever reads hilum.toml reads the file.
    """

    name: str
    takes: tuple[str, ...]  # media types of results; "*" stands for any text, as in a shell

    def is_reachable(self) -> bool:
        """Whether it answers at all, even if only to refuse; waits `CALL_SECONDS` at most.

        `ConfigurationError` if our own settings do not let us ask.
        """

    def send(self, results: Sequence[Result]) -> None:
        """Hand over every result, or raise `DeliveryDelayed` or `DeliveryRefused`."""

    def missing(self, results: Sequence[Result]) -> list[Result]:
        """Those of `results` that the destination does not show when it is asked."""


def is_answered(call: Callable[[], object]) -> bool:
    """Whether `call`, which asks a destination for anything, is answered at all."""
    try:
        call()
    except DeliveryRefused:
        return True  # it does not want us, but it is there
    except DeliveryDelayed:
        return False
    return True


def open_destination(settings: DestinationSettings) -> Destination:
    """The destination that `settings` describe."""
    destination: Destination = DESTINATIONS.load(settings.kind)(settings)
    return destination
