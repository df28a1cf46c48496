"""A made-up study goes to our own receiver, as a scanner would send it: the whole line is tried."""

import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from pydicom import dcmread

from hilum.audit import AuditedAct, AuditedObject
from hilum.config.receiver import Receiver
from hilum.console.desk import Desk
from hilum.errors import DeliveryError
from hilum.people.visitor import Visitor
from hilum.records.models.studies import UploadedStudy
from hilum.transport.sender import send

CALLING = "HILUM"  # where the receiver hears everybody
ANYWHERE = ("0.0.0.0", "::")  # it listens on every interface


def can_be_sent(receiver: Receiver) -> bool:
    """Whether we can call our own receiver: we have no certificate that it would have to trust."""
    return receiver.tls is None


def send_made_up(desk: Desk, visitor: Visitor, contents: Sequence[bytes]) -> str:
    """Send the files of a made-up study by C-STORE, and give its UID. Its results go nowhere.

    Raises
    ------
    DeliveryError
        The receiver has not taken all of it; the text says why.
    AuditUnavailable
        It cannot be put on record.
    """
    receiver = desk.site.receiver
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number:05}.dcm" for number in range(len(contents))]
        for file, content in zip(files, contents, strict=True):
            file.write_bytes(content)
        first = dcmread(files[0], specific_tags=["StudyInstanceUID", "PatientID"])
        study_uid, patient_id = str(first.StudyInstanceUID), str(first.PatientID)
        chosen = UploadedStudy(study_uid, time.time(), (), False)
        brought = AuditedObject.study(study_uid)
        desk.auditor.note(AuditedAct.UPLOADED, visitor, brought, patient_id, str(chosen))
        desk.records.uploads.choose(chosen, is_here=False)
        host = "127.0.0.1" if receiver.host in ANYWHERE else receiver.host
        calling = next(iter(receiver.allowed_callers), CALLING)
        report = send(files, (receiver.ae_title, host, receiver.port), calling)
    if report.failed:
        raise DeliveryError(f"our own receiver: {report}")
    return study_uid
