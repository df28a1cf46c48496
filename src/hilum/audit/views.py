"""The audit trail as commands, pages and API show it."""

from dataclasses import dataclass, replace

from hilum.audit.auditor import AuditedPerson, Auditor
from hilum.audit.entry import AuditedAct, AuditedObject, AuditEntry, ObjectType
from hilum.audit.store import AuditFilter, AuditStore
from hilum.errors import HilumError

ON_A_PAGE = 50


@dataclass(frozen=True)
class AuditPage:
    """One page of what is wanted, the latest first."""

    entries: tuple[AuditEntry, ...]
    page: int
    pages: int
    total: int

    @classmethod
    def of(cls, store: AuditStore, wanted: AuditFilter, page: int = 1) -> "AuditPage":
        """Page `page`, from 1; `HilumError` if there is no such page."""
        total = store.count(wanted)
        pages = max(1, -(-total // ON_A_PAGE))
        if not 1 <= page <= pages:
            raise HilumError(f"there is no page {page}: the last one is {pages}")
        entries = store.latest(wanted, ON_A_PAGE, (page - 1) * ON_A_PAGE)
        return cls(tuple(entries), page, pages, total)

    def without_patients(self) -> "AuditPage":
        """The same for those who are not to see patient IDs."""
        return replace(self, entries=tuple(replace(e, patient_id="") for e in self.entries))


def read_audit(
    auditor: Auditor, person: AuditedPerson, wanted: AuditFilter, page: int
) -> AuditPage:
    """One page for a visitor of the console or of the API; that they read it is an entry."""
    what = "of one patient" if wanted.patient_id else "of one study" if wanted.studies else ""
    about = AuditedObject(ObjectType.AUDIT_TRAIL, what)
    auditor.note(AuditedAct.AUDIT_READ, person, about, patient_id=wanted.patient_id)
    return AuditPage.of(auditor.store, wanted, page)
