"""Whether an archive has a study: what it is asked, and how a kind says that it can be."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

LONGEST_ACCESSION_NUMBER = 16  # characters of an SH (PS3.5 6.2)
WILDCARDS = set("*?\\")  # PS3.4 C.2.2.2: they would match others
QUERY_IDENTIFIERS = (
    "a patient ID or an accession number would stand in an address, which servers on the way log;"
    " if the site allows that, set query_identifiers"
)


@dataclass(frozen=True)
class StudySearch:
    """What studies are looked for; one that any of it names is meant. "" and () name none.

    The identifiers are patient data: they do not show where this is printed.
    """

    study_uids: tuple[str, ...] = ()
    accession_number: str = field(default="", repr=False)
    patient_id: str = field(default="", repr=False)

    @classmethod
    def by_any(cls, wanted: str) -> "StudySearch":
        """Whatever `wanted` may be: a UID, an accession number or a patient ID."""
        is_uid = "." in wanted and not set(wanted) - set("0123456789.")
        if WILDCARDS & set(wanted):
            return cls()
        is_short = len(wanted) <= LONGEST_ACCESSION_NUMBER
        return cls((wanted,) if is_uid else (), wanted if is_short else "", wanted)

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """Keyword and value of each query that has to be made."""
        uids = (("StudyInstanceUID", uid) for uid in self.study_uids)
        others = (("AccessionNumber", self.accession_number), ("PatientID", self.patient_id))
        return (*uids, *(pair for pair in others if pair[1]))


@runtime_checkable
class SearchedArchive(Protocol):
    """A source or a destination that can be asked for studies."""

    def search(self, wanted: StudySearch) -> Iterable[str]:
        """The Study Instance UIDs of those studies that it has.

        It takes no longer than a few times `timeout_seconds`. `HilumError`, with the cure, if it
        cannot be asked.
        """
