"""What people did to a study, and why, as its page and its trace tell it."""

from dataclasses import dataclass

from hilum.audit.entry import AuditedAct, AuditEntry, AuditOutcome
from hilum.audit.store import AuditFilter, AuditStore
from hilum.errors import AuditUnavailable, OtherVersionError

ACTS = (
    AuditedAct.RERUN,
    AuditedAct.RETRY,
    AuditedAct.ANALYSE,
    AuditedAct.ANALYSE_SHORT,
    AuditedAct.BEGIN,
    AuditedAct.CANCEL,
    AuditedAct.RELEASE,
    AuditedAct.RESEND,
    AuditedAct.SEND_ON,
    AuditedAct.WITHDRAW,
    AuditedAct.DECIDE,
)
MOST = 200  # entries of one study, the latest ones


@dataclass(frozen=True)
class ToldAct:
    """Who asked for what, when (s since 1970) and why; `workitem` is "" where it is the study.

    The reason may name the patient.
    """

    at: float
    person: str
    act: AuditedAct
    workitem: str
    reason: str


def acts_on_study(store: AuditStore, study_uid: str) -> list[ToldAct]:
    """What people asked for, the oldest first; none where the trail cannot be read now."""
    try:
        entries = store.latest(AuditFilter(studies=(study_uid,)), MOST)
    except (AuditUnavailable, OtherVersionError):
        return []
    asked = [e for e in entries if e.act in ACTS and e.outcome is AuditOutcome.ASKED]
    return [_told(entry) for entry in reversed(asked)]


def _told(entry: AuditEntry) -> ToldAct:
    workitem = "" if entry.object == entry.study_uid else entry.object
    reason = "" if entry.act is AuditedAct.DECIDE else entry.reason  # that is a number
    return ToldAct(entry.at, entry.person, entry.act, workitem, reason)
