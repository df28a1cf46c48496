"""Which studies an upload may bring: every one, once it is on record who brings it."""

import time
from dataclasses import dataclass

from hilum.audit import AuditedAct, AuditedObject, Auditor
from hilum.config.site import Site
from hilum.inbox import Inbox
from hilum.records import Records
from hilum.records.models.studies import UploadedStudy
from hilum.uploading.archive import UploadBounds
from hilum.uploading.talk import NewStudy
from hilum.uploading.uploads import Upload


def bounds_of(site: Site) -> UploadBounds:
    """What one upload may have."""
    most = int(site.console.upload_gib * (1 << 30))
    return UploadBounds(most, site.console.upload_files, site.receiver.low_water_mb)


@dataclass(frozen=True)
class Admission:
    """Notes of each study who has uploaded it, and where its results are to go."""

    records: Records
    auditor: Auditor
    inbox: Inbox

    def admit(self, upload: Upload, study: NewStudy) -> None:
        """Let a study in, before its first image is stored.

        Raises
        ------
        HilumError
            It cannot be put on record, so the study is not to be stored.
        """
        wish = upload.wish
        chosen = UploadedStudy(study.study_uid, time.time(), wish.destinations, wish.images)
        brought = AuditedObject.study(study.study_uid)
        self.auditor.note(AuditedAct.UPLOADED, wish.person, brought, study.patient_id, str(chosen))
        if not self.records.uploads.choose(chosen, study.is_here):
            upload.by_rules.append(study.study_uid)
        upload.studies.append(study.study_uid)

    def forget_unused(self) -> None:
        """Forget what was chosen for studies of which nothing was stored in the end."""
        self.records.uploads.forget_unused(self._is_here)

    def _is_here(self, study_uid: str) -> bool:
        return any(self.inbox.study_folder(study_uid).glob("*.dcm"))
