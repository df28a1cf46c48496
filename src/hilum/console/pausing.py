"""Pause something, or let it go on, after it is on record who wants it."""

import time

from hilum import pausing
from hilum.audit import AuditedAct, AuditOutcome
from hilum.console.desk import Desk
from hilum.errors import HilumError
from hilum.people.visitor import Visitor
from hilum.records.models import NotedPause
from hilum.records.states import PausedKind


def begin_pause(desk: Desk, visitor: Visitor, kind: PausedKind, name: str, reason: str) -> str:
    """Pause it; what that means, in words.

    Raises
    ------
    HilumError
        The reason is missing, or it is paused already.
    AuditUnavailable
        It cannot be written down, so it is not done.
    """
    why = pausing.reason_of(reason)
    about = pausing.audited_object(kind, name)
    desk.auditor.note(AuditedAct.PAUSED, visitor, about, reason=why)
    try:
        new = NotedPause(kind, name, time.time(), visitor.name, why)
        return pausing.pause(desk.site, desk.records, new)
    except HilumError as error:
        failed = (str(error), AuditOutcome.FAILED)
        desk.auditor.note(AuditedAct.PAUSED, visitor, about, "", *failed)
        raise


def end_pause(desk: Desk, visitor: Visitor, kind: PausedKind, name: str) -> str:
    """Let it go on; what that means, in words.

    Raises
    ------
    HilumError
        It is not paused.
    AuditUnavailable
        It cannot be written down, so it is not done.
    """
    about = pausing.audited_object(kind, name)
    desk.auditor.note(AuditedAct.RESUMED, visitor, about)
    try:
        return pausing.resume(desk.site, desk.records, kind, name)
    except HilumError as error:
        failed = (str(error), AuditOutcome.FAILED)
        desk.auditor.note(AuditedAct.RESUMED, visitor, about, "", *failed)
        raise
