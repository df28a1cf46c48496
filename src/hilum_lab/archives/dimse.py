"""A small Storage and Query SCP (PS3.4 B and C)."""

import threading
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.uid import EncapsulatedPDFStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE, AllStoragePresentationContexts, evt

from hilum.transport import query
from hilum.transport.dimse import VERIFICATION, quieten_libraries
from hilum_lab.network.processes import LOOPBACK

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian]
AE_TITLE = "ARCHIVE"
UNIQUE = {  # what tells one match from another
    "STUDY": ("StudyInstanceUID", "PatientID", "IssuerOfPatientID"),
    "SERIES": ("SeriesInstanceUID", "PatientID"),
    "IMAGE": ("SOPInstanceUID",),
}


class DimseArchive:
    """Holds instances in memory, by SOP Instance UID, each with how often it was sent.

    Attributes
    ----------
    status
        What every C-STORE is answered with; nothing is kept unless it is 0.
    forgets
        Answer success and keep nothing.
    asked
        How often it was asked for the earlier studies of a patient, of which it has none.
    hangs
        Do not answer that until it goes down.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.status = 0
        self.forgets = False
        self.asked = 0
        self.hangs = False
        self._goes_down = threading.Event()
        self.sent: Counter[str] = Counter()  # answered with success and kept, by SOP Instance UID
        self.holds: dict[str, Dataset] = {}
        self._server: Any = None
        self._lock = threading.Lock()

    def open(self, ae_title: str = AE_TITLE, without_pdf: bool = False) -> None:
        """Start, or start again: behave well, but for the AE title and the missing SOP class."""
        self.close()
        self.status, self.forgets, self.hangs = 0, False, False
        self._goes_down.clear()
        quieten_libraries()
        entity = AE(ae_title)
        entity.require_called_aet = True
        entity.add_supported_context(VERIFICATION)
        entity.add_supported_context(query.FIND)
        for context in AllStoragePresentationContexts:
            sop_class = str(context.abstract_syntax)
            if not (without_pdf and sop_class == EncapsulatedPDFStorage):
                entity.add_supported_context(sop_class, SYNTAXES)
        handlers: list[Any] = [(evt.EVT_C_STORE, self._store), (evt.EVT_C_FIND, self._find)]
        self._server = entity.start_server((LOOPBACK, self.port), False, evt_handlers=handlers)

    def close(self) -> None:
        """Go down."""
        self._goes_down.set()
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def _store(self, event: Any) -> int:
        if self.status:
            return self.status
        if not self.forgets:
            header = pydicom.dcmread(
                DicomBytesIO(event.encoded_dataset()), stop_before_pixels=True, force=True
            )
            with self._lock:
                self.sent[str(header.SOPInstanceUID)] += 1
                self.holds[str(header.SOPInstanceUID)] = header
        return 0

    def _find(self, event: Any) -> Iterator[tuple[int, Dataset | None]]:
        asked = event.identifier
        level, study_uid = asked.QueryRetrieveLevel, asked.get("StudyInstanceUID")
        if level == "STUDY" and not study_uid:
            self.asked += 1
            if self.hangs:
                self._goes_down.wait()
            return
        with self._lock:
            held = [d for d in self.holds.values() if study_uid == d.StudyInstanceUID]
        if level == "IMAGE":
            held = [d for d in held if asked.SeriesInstanceUID == d.SeriesInstanceUID]
        shown = set()
        for header in held:
            key = tuple(str(header.get(keyword, "")) for keyword in UNIQUE[level])
            if key not in shown:
                shown.add(key)
                yield 0xFF00, _match(asked, header)


def _match(asked: Dataset, header: Dataset) -> Dataset:
    """What a query asks for, of one instance."""
    match = Dataset()
    match.QueryRetrieveLevel = asked.QueryRetrieveLevel
    for element in asked:
        if element.keyword != "QueryRetrieveLevel" and element.tag in header:
            match.add(header[element.tag])
    return match
