"""What an archive was sent, and what it holds: the same for both protocols."""

import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from pydicom.dataset import Dataset

from hilum.dicom.header import text_of
from hilum.dicom.uids import derived_uid
from hilum_lab.archives.behaviour import Keeping

OTHER_PATIENT = "CHANGED-BY-THE-ARCHIVE"
UNIQUE = {  # what tells one match from another
    "STUDY": ("StudyInstanceUID", "PatientID", "IssuerOfPatientID"),
    "SERIES": ("SeriesInstanceUID", "PatientID"),
    "IMAGE": ("SOPInstanceUID",),
}


@dataclass
class ArchiveHoldings:
    """Instances in memory, and counts of what came.

    Attributes
    ----------
    sent
        How often each instance was sent, whatever the answer, by SOP Instance UID.
    again
        How many of these sendings came after one of the same instance that had been accepted.
    holds
        The header of each instance that is kept, by the SOP Instance UID that it has here.
    """

    sent: Counter[str] = field(default_factory=Counter)
    again: Counter[str] = field(default_factory=Counter)
    holds: dict[str, Dataset] = field(default_factory=dict)
    _accepted: set[str] = field(default_factory=set)
    _since: dict[str, float] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    def note(self, header: Dataset, is_accepted: bool) -> None:
        """Count one sending."""
        uid = text_of(header, "SOPInstanceUID")
        with self._lock:
            self.sent[uid] += 1
            self.again[uid] += uid in self._accepted
            if is_accepted:
                self._accepted.add(uid)

    def hold(self, header: Dataset, behaviour: Keeping) -> None:
        """Keep what was taken, changed as `behaviour` wants it."""
        uid = text_of(header, "SOPInstanceUID")
        with self._lock:
            if uid in self.holds and behaviour.deletes_second:
                del self.holds[uid]
            elif behaviour.keeps:
                for keyword in behaviour.coerces:
                    _coerce(header, keyword)
                here = text_of(header, "SOPInstanceUID")
                self.holds[here] = header
                self._since.setdefault(here, time.monotonic())

    def forget(self, study_uids: Collection[str] | None = None) -> None:
        """Hold nothing of these studies, or of any, as after an old backup; the counts stay."""
        with self._lock:
            for uid, header in list(self.holds.items()):
                if study_uids is None or text_of(header, "StudyInstanceUID") in study_uids:
                    del self.holds[uid], self._since[uid]

    def matches(self, level: str, asked: Dataset, behaviour: Keeping) -> Iterator[Dataset]:
        """A header for each match of a query: UIDs and the Patient ID are matched."""
        with self._lock:
            held = list(self.holds.items())
        since = time.monotonic() - behaviour.lag_seconds
        shown = set[tuple[str, ...]]()
        patients = dict[str, str]()
        for uid, header in held:
            study, patient = text_of(header, "StudyInstanceUID"), text_of(header, "PatientID")
            first = patients.setdefault(study, patient)
            is_hidden = behaviour.hides_second_patient and level != "IMAGE" and patient != first
            if is_hidden or not _fits(asked, header) or self._since.get(uid, 0.0) > since:
                continue
            key = tuple(text_of(header, keyword) for keyword in UNIQUE[level])
            if key in shown:
                continue
            if behaviour.limit and len(shown) >= behaviour.limit:
                return
            shown.add(key)
            yield header

    def count_in_series(self, series_uid: str) -> int:
        """How many instances of a series are held."""
        with self._lock:
            held = list(self.holds.values())
        return sum(text_of(header, "SeriesInstanceUID") == series_uid for header in held)


def _fits(asked: Dataset, header: Dataset) -> bool:
    keys = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID")
    wanted = {keyword: text_of(asked, keyword) for keyword in keys}
    return all(not value or value == text_of(header, key) for key, value in wanted.items())


def _coerce(header: Dataset, keyword: str) -> None:
    before = text_of(header, keyword)
    is_uid = keyword.endswith("UID")
    setattr(header, keyword, derived_uid("coerced", before) if is_uid else OTHER_PATIENT)
