"""What a C-STORE request brings is kept, in the inbox or apart, and answered (PS3.4 B.2.3)."""

from dataclasses import replace
from functools import partial
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import (
    BasicTextSRStorage,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    EnhancedSRStorage,
    KeyObjectSelectionDocumentStorage,
)

from hilum.dicom.header import identify
from hilum.dicom.part10 import prefix
from hilum.dicom.salvage import readable
from hilum.dicom.structure import Buffer
from hilum.errors import UnreadableError
from hilum.inbox import OTHER_CLASS, OTHER_INSTANCE, Inbox, Intake, Receipt
from hilum.inbox.growing import Growing, mapped

SUCCESS = 0x0000
DOES_NOT_MATCH = 0xA900  # PS3.4 table B.2-1, this one and the next two
CANNOT_UNDERSTAND = 0xC000
SAYING = (
    KeyObjectSelectionDocumentStorage,
    BasicTextSRStorage,
    EnhancedSRStorage,
    ComprehensiveSRStorage,
    Comprehensive3DSRStorage,
)
COERCED = 0xB000  # a warning: the first version is kept, this one stands apart


def take_in(inbox: Inbox, event: Any, caller: str, growing: Growing | None) -> tuple[int, Receipt]:
    """Keep the object that `caller` sent, which lies in `growing` if it is large.

    What is to be answered (status), and where the object is.
    """
    if growing:
        with mapped(growing.path) as part10:
            return _judge(inbox, event, caller, part10, growing)
    request = event.request
    named = (request.AffectedSOPClassUID, request.AffectedSOPInstanceUID)
    before = prefix(*named, event.context.transfer_syntax, caller)
    return _judge(inbox, event, caller, before + event.encoded_dataset(include_meta=False), None)


def _judge(
    inbox: Inbox, event: Any, caller: str, part10: Buffer, growing: Growing | None
) -> tuple[int, Receipt]:
    apart = partial(inbox.quarantine, part10, sender=caller, growing=growing)
    try:
        file = readable(part10)
    except UnreadableError as error:
        reason, study_uid = _contradiction(event, part10)
        if reason:
            return DOES_NOT_MATCH, apart(reason, study_uid=study_uid)
        return CANNOT_UNDERSTAND, apart(str(error))
    if reason := _difference(event, file.uids):
        return DOES_NOT_MATCH, apart(reason, study_uid=file.uids["StudyInstanceUID"])
    if file.mended and growing:  # it would have to be written once more
        return CANNOT_UNDERSTAND, apart(file.mended)
    content = file.part10(part10[:]) if file.mended else part10
    stored = inbox.keep(content, file.uids, caller, growing)
    if stored.outcome is Intake.QUARANTINED:
        return COERCED, stored
    return SUCCESS, replace(stored, reason=file.mended)


def may_be_assessment(event: Any) -> bool:
    """Whether it is of a class by which readers say something: a key object selection, a report."""
    return event.request.AffectedSOPClassUID in SAYING


def response(status: int, comment: str) -> Dataset | int:
    """What is answered: a status, with a comment where there is one."""
    if not comment:
        return status
    response = Dataset()
    response.Status = status
    response.ErrorComment = comment[:64]
    return response


def _contradiction(event: Any, part10: Buffer) -> tuple[str, str]:
    """How an object that is not to be read as negotiated contradicts its request, or "".

    And the UID of its study, where it states one.
    """
    try:
        uids = identify(part10)
    except UnreadableError:
        return "", ""
    return _difference(event, uids), uids.get("StudyInstanceUID", "")


def _difference(event: Any, uids: dict[str, str]) -> str:
    """How the data set contradicts the request that it came with, or ""."""
    request = event.request
    if uids["SOPInstanceUID"] != request.AffectedSOPInstanceUID:
        return OTHER_INSTANCE
    classes = {request.AffectedSOPClassUID, event.context.abstract_syntax, uids["SOPClassUID"]}
    return OTHER_CLASS if len(classes) > 1 else ""
