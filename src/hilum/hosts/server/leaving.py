"""What leaves for a server is written in the audit trail before it leaves, once for each study."""

import hashlib
import logging
from contextlib import closing, suppress
from pathlib import Path

from hilum.audit import AuditedAct, AuditedObject, Auditor, AuditOutcome, ObjectType
from hilum.audit.auditor import SERVICE
from hilum.errors import AuditUnavailable, ServerAway
from hilum.hosts import Job
from hilum.inbox import write_durably
from hilum.servers.at_server import AtServer
from hilum.wording import counted

MARK = "sent-to-server"  # beside the findings while the study is sent or waits, in any worker

log = logging.getLogger(__name__)


class Leaving:
    """Notes in the audit trail what the server at `url` is sent of the studies of one module.

    `unlooked`: this site sends images whose pixels may show a name, too.
    """

    def __init__(self, data: Path, url: str, unlooked: bool) -> None:
        self._data = data
        self._url = url
        self._unlooked = unlooked

    def begins(self, job: Job, module: type[AtServer]) -> None:
        """Note that the images of `job` leave, unless it is noted; then they may.

        Raises
        ------
        ServerAway
            It cannot be written down, so nothing may leave; the study waits.
        """
        mark, what = job.out / MARK, self._digest(job)
        if _read(mark) == what:
            return
        images = counted(sum(map(len, job.inputs.values())), "image")
        looked = (
            "pixels that may show a name included"
            if self._unlooked
            else "none whose pixels may show a name"
        )
        try:
            self._note(job, f"{module.name}: {images} as {module.sends}; {looked}")
        except AuditUnavailable as error:
            raise ServerAway(f"no image is sent: {error}") from error
        with suppress(OSError):  # a disk without room: it is noted twice
            job.out.mkdir(parents=True, exist_ok=True)
            write_durably(mark, what.encode())

    def refused(self, job: Job, why: str) -> None:
        """Note that the images of `job` have not left; `why` is what the refusal says."""
        try:
            self._note(job, why, AuditOutcome.DENIED)
        except AuditUnavailable as error:  # nothing has left
            log.error("the audit trail does not say that images were not sent: %s", error)

    def ended(self, job: Job) -> None:
        """What is sent of the study from now on is sent anew."""
        (job.out / MARK).unlink(missing_ok=True)

    def _note(self, job: Job, text: str, outcome: AuditOutcome | None = None) -> None:
        about = AuditedObject(ObjectType.SERVER, self._url, job.study_uid)
        with closing(Auditor(self._data)) as auditor:
            auditor.note_of(
                SERVICE, AuditedAct.SENT_TO_SERVER, about, job.patient_id, text, outcome
            )

    def _digest(self, job: Job) -> str:
        """A number of what is sent, and of whom: more may come while it waits, or another name."""
        images = sorted({str(part) for parts in job.inputs.values() for part in parts})
        sent = repr((self._url, job.study_uid, job.patient_id, images))
        return hashlib.sha256(sent.encode()).hexdigest()


def _read(mark: Path) -> str:
    try:
        return mark.read_text()
    except (OSError, UnicodeDecodeError):
        return ""
