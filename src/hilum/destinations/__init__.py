"""Where results go. A destination sends, and shows what it holds: delivered means read back."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from hilum.config.site import Destination as DestinationSettings

CALL_SECONDS = 5.0  # longest wait for the answer to a call


class Destination(Protocol):
    """Three operations; one file per kind beside this one."""

    name: str

    def answers(self) -> bool:
        """Whether it is there at all, even if only to refuse; waits `CALL_SECONDS` at most.

        `ConfigurationError` if our own settings do not let us ask.
        """

    def send(self, files: Sequence[Path]) -> None:
        """Hand over every file (DICOM Part 10), or raise `DeliveryDelayed` or `DeliveryRefused`."""

    def missing(self, files: Sequence[Path]) -> list[Path]:
        """Those of `files` whose SOP instance the destination does not show when asked."""


def open_destination(settings: DestinationSettings) -> Destination:
    """The destination of the kind named in `settings`."""
    if settings.kind == "dimse":
        from hilum.destinations.dimse import DimseDestination

        return DimseDestination(settings)
    if settings.kind == "dicomweb":
        from hilum.destinations.dicomweb import DicomwebDestination

        return DicomwebDestination(settings)
    from hilum.destinations.folder import FolderDestination

    return FolderDestination(settings)
