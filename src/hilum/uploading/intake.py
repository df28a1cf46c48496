"""One file after the other goes through the gate of the inbox, by which senders come, too."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from hilum.dicom.header import read_header
from hilum.dicom.salvage import may_be_dicom, readable
from hilum.dicom.structure import Buffer
from hilum.errors import UnreadableError, UploadError
from hilum.inbox import Inbox, Intake, Receipt
from hilum.inbox.growing import Growing, mapped
from hilum.inbox.room import require_room
from hilum.processes.hints import HintSender, hint_of
from hilum.sources.folder import is_index
from hilum.uploading.archive import (
    PIECE,
    Entry,
    UnreadableEntry,
    UploadBounds,
    entries_of,
    is_archive,
    other_kind,
)
from hilum.uploading.talk import Fates, FileFate, NewStudy

CALLER = "an upload"
IN_MEMORY = 32 << 20  # bytes of an object; a larger one grows on the disk
NOT_DICOM = "not a DICOM file"
INDEX = "a DICOMDIR, which only lists other files"
NESTED = "an archive inside an archive: unpack it, and upload what is in it"
FATES = {
    Intake.STORED: FileFate.ACCEPTED,
    Intake.DUPLICATE: FileFate.HERE_ALREADY,
    Intake.QUARANTINED: FileFate.QUARANTINED,
}


class UploadIntake:
    """Takes in the files of one upload.

    `admit` is told of each study before its first image is stored; it raises `UploadError` where
    the study must not be. `moved` is called after every file and every piece of a large one.
    """

    def __init__(
        self,
        inbox: Inbox,
        hints: HintSender,
        association: str,
        bounds: UploadBounds,
        admit: Callable[[NewStudy], None],
        moved: Callable[[], None],
    ) -> None:
        self.fates = Fates()
        self.bytes_read = 0
        self._inbox = inbox
        self._hints = hints
        self._association = association
        self._bounds = bounds
        self._admit = admit
        self._moved = moved
        self._studies: set[str] = set()

    def take(self, path: Path) -> None:
        """Take in a file, or what is in it if it is an archive; it stays where it is.

        Raises
        ------
        UploadError
            Nothing further of this upload is to be read. What was accepted stays.
        OSError
            The disk has no room.
        """
        with path.open("rb") as file:
            head = file.read(512)
        if not may_be_dicom(head) and is_archive(head):
            for entry in entries_of(path, self._bounds):
                self._take(entry, is_nested=True)
        else:
            self._take(Entry(_pieces_of(path)), is_nested=False)

    def _take(self, entry: Entry, is_nested: bool) -> None:
        if self.fates.files >= self._bounds.files:
            raise UploadError(self._bounds.too_many)
        try:
            self.fates.add(*self._fate(entry, is_nested))
        except UnreadableEntry as error:
            self.fates.add(FileFate.REFUSED, str(error))
        self._moved()

    def _fate(self, entry: Entry, is_nested: bool) -> tuple[FileFate, str]:
        if entry.problem:
            return FileFate.REFUSED, entry.problem
        pieces = self._counted(entry.pieces)
        head = next(pieces, b"")
        if not may_be_dicom(head):
            return _no_image(head, is_nested)
        if is_index(head):
            return FileFate.LEFT_OUT, INDEX
        receipt = self._stored(head, pieces)
        self._hints.send(hint_of(receipt, self._association, CALLER, receipt.study_uid))
        return FATES[receipt.outcome], receipt.reason

    def _counted(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self.bytes_read += len(piece)
            if self.bytes_read > self._bounds.bytes:
                raise UploadError(self._bounds.too_large)
            yield piece
            self._moved()

    def _stored(self, head: bytes, pieces: Iterator[bytes]) -> Receipt:
        """Store one object; a large one is never in memory as a whole."""
        require_room(self._inbox.incoming, self._bounds.low_water_mb)
        content = bytearray(head)
        growing: Growing | None = None
        try:
            for piece in pieces:
                if growing is None and len(content) + len(piece) > IN_MEMORY:
                    growing = self._inbox.grow(bytes(content), self._bounds.low_water_mb)
                if growing:
                    growing.write(piece)
                else:
                    content += piece
            if growing is None:
                return self._judged(bytes(content), None)
            with mapped(growing.path) as part10:
                return self._judged(part10, growing)
        finally:
            if growing:
                growing.discard()

    def _judged(self, part10: Buffer, growing: Growing | None) -> Receipt:
        """What becomes of an object is what would become of it by C-STORE."""
        try:
            file = readable(part10)
        except UnreadableError as error:
            return self._inbox.quarantine(part10, str(error), CALLER, growing=growing)
        if file.mended and growing:  # it would have to be written once more
            return self._inbox.quarantine(part10, file.mended, CALLER, growing=growing)
        content = file.part10(part10[:]) if file.mended else part10
        self._announce(file.uids["StudyInstanceUID"], content)
        return self._inbox.keep(content, file.uids, CALLER, growing)

    def _announce(self, study_uid: str, part10: Buffer) -> None:
        if study_uid in self._studies:
            return
        patient_id = ""
        with suppress(UnreadableError):
            patient_id = read_header(part10).header.text("PatientID")
        folder = self._inbox.study_folder(study_uid)
        self._admit(NewStudy(study_uid, patient_id, any(folder.glob("*.dcm"))))
        self._studies.add(study_uid)


def _no_image(head: bytes, is_nested: bool) -> tuple[FileFate, str]:
    if is_nested and (is_archive(head) or other_kind(head)):
        return FileFate.REFUSED, NESTED
    if kind := other_kind(head):
        return FileFate.REFUSED, f"a {kind} archive: make a ZIP archive of it, or upload its files"
    return FileFate.LEFT_OUT, NOT_DICOM


def _pieces_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            yield piece
