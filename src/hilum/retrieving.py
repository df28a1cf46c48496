"""How one study is fetched from an archive: what kinds that can do so have."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Listed:
    """One SOP instance that an archive lists. `key` is how the archive calls it."""

    key: str
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    size: int = 0  # bytes, 0 where the archive does not say


@dataclass(frozen=True)
class Moved:
    """How far an archive is that sends a study: the objects that it has sent, and has still to."""

    sent: int
    failed: int
    left: int


@runtime_checkable
class ListingArchive(Protocol):
    """A source or destination that lists the objects of a study, and gives each.

    `HilumError`, with the cure, if it does not.
    """

    def listed(self, study_uid: str) -> Sequence[Listed]:
        """The SOP instances of a study, of every modality."""

    def fetch(self, instance: Listed, largest: int) -> bytes | None:
        """Fetch one instance, as `hilum.sources.Source` does."""


@runtime_checkable
class SendingArchive(Protocol):
    """One that sends a study to a DICOM listener when it is asked to."""

    def send_to(self, study_uid: str, ae_title: str) -> Iterator[Moved]:
        """Have it send a study to the listener that it knows as `ae_title`.

        `HilumError`, with the cure, if it does not.
        """


@runtime_checkable
class RetrievableArchive(Protocol):
    """One whose settings say in which of these two ways it is fetched from."""

    def retrieving(self) -> AbstractContextManager[ListingArchive | SendingArchive]:
        """That way, open until all is fetched."""
