"""What a kind of result object is: a class found by an entry point of the group `hilum.objects`.

Each kind is one file beside this one, or in another package (see `hilum.kinds`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Protocol, runtime_checkable

from pydicom.dataset import Dataset

from hilum.config.fields import JSONValues
from hilum.config.kinds import Encoding, Regions
from hilum.dicom.part10 import as_file
from hilum.objects.analysis import Analysis
from hilum.objects.assessed import ReaderWord
from hilum.objects.report import Report
from hilum.results import DICOM


@dataclass(frozen=True)
class Writing:
    """What is to be written, and how a destination wants it.

    `written` holds the objects of this analysis that were written before, by kind: those an object
    may refer to. A destination that does not receive a kind has none of it there. `wishes` are the
    further settings of the destination that its objects are written by.
    """

    analysis: Analysis
    segmentation: Encoding = "binary"
    regions: Regions = "outlines"
    written: Mapping[str, Sequence[Dataset | bytes]] = field(default_factory=dict)
    wishes: JSONValues = field(default_factory=dict)

    @cached_property
    def report(self) -> Report:
        """The same analysis as it is told to a clinician."""
        return Report(self.analysis)


@dataclass(frozen=True)
class Document:
    """One result object as it was written; `encoded` is the content of its file.

    `identity` is the SOP Instance UID of a DICOM object, and a derived UID of any other.
    """

    kind: str
    media_type: str
    identity: str
    content: Dataset | bytes
    encoded: bytes
    number: int = 1  # among those of its kind in one result

    @classmethod
    def of_note(cls, dataset: Dataset) -> "Document":
        """A note about a result, a Key Object Selection Document."""
        return cls("ko", DICOM, str(dataset.SOPInstanceUID), dataset, as_file(dataset))

    @property
    def sop_class_uid(self) -> str:
        """ "" of what is no DICOM object."""
        return str(self.content.SOPClassUID) if isinstance(self.content, Dataset) else ""


class ResultObject(Protocol):
    """One kind of result object; the same `Writing` gives the same content."""

    media_type: str
    refers_to: tuple[str, ...]  # kinds that are written before this one

    def write(self, writing: Writing) -> Sequence[Dataset | bytes]:
        """The contents: data sets for `DICOM`, else the bytes of files.

        Empty if this kind says nothing of such an analysis.
        """


@runtime_checkable
class Withdrawable(Protocol):
    """A kind, other than DICOM, whose objects can be taken back where they were sent."""

    def write_withdrawal(self, writing: Writing, identities: Sequence[str], reason: str) -> bytes:
        """What takes back the objects with those identities; `reason` is what a person says."""


@runtime_checkable
class Assessable(Protocol):
    """A kind, other than DICOM, that can tell what readers said of its objects."""

    def write_assessment(
        self, writing: Writing, identities: Sequence[str], word: ReaderWord
    ) -> bytes:
        """What tells `word` of the objects with those identities, which the destination has."""
