"""What every command does that changes something: it writes down who typed it, before it acts."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hilum.errors import HilumError

if TYPE_CHECKING:
    from hilum.audit import AuditedAct, AuditedObject
    from hilum.config.site import Site
    from hilum.records import Records
    from hilum.records.states import RequestAction


@dataclass
class Acting:
    """An act that goes on; whoever does it says here why it failed, if it did."""

    failure: str = ""


@contextmanager
def audited(
    site: "Site",
    act: "AuditedAct",
    object: "AuditedObject",
    reason: str = "",
    patient_id: str = "",
    asked: bool = False,
) -> Iterator[Acting]:
    """What is inside is done only if it is in the audit trail that this user does it.

    That it failed, because it says so or by a `HilumError`, is an entry of its own. `asked`: the
    gateway does it.

    Raises
    ------
    AuditUnavailable
        It cannot be written down, and so nothing was done.
    """
    from hilum.audit import Auditor, AuditOutcome
    from hilum.audit.system_user import actor_here

    outcome = AuditOutcome.ASKED if asked else AuditOutcome.DONE
    acting = Acting()
    with closing(Auditor(site.data)) as auditor:
        actor = actor_here()
        auditor.note_of(actor, act, object, patient_id, reason, outcome)
        try:
            yield acting
        except HilumError as error:
            acting.failure = str(error)
            raise
        finally:
            if acting.failure:
                failed = (patient_id, acting.failure, AuditOutcome.FAILED)
                auditor.note_of(actor, act, object, *failed)


def ask_on_record(
    site: "Site",
    records: "Records",
    action: "RequestAction",
    workitem_id: str,
    reason: str = "",
    patience: float | None = None,
    patient_id: str = "",
) -> tuple[bool, str]:
    """Ask the gateway for something, as `hilum.asking.ask` does; the trail has it before."""
    from hilum.asking import PATIENCE, ask
    from hilum.audit import AuditedAct, AuditedObject

    study_uid = records.workitems.one(workitem_id).study_uid
    object = AuditedObject.workitem(workitem_id, study_uid)
    act = AuditedAct(action.value)
    with audited(site, act, object, reason, patient_id, asked=True) as acting:
        limit = PATIENCE if patience is None else patience
        done, answer, _ = ask(records, site.data, action, workitem_id, reason, limit)
        if not done:
            acting.failure = answer
    return done, answer
