"""Pause something, or let it go on, after it is on record who wants it."""

import time
from typing import Annotated

from fastapi import Form
from starlette.exceptions import HTTPException

from hilum import pausing
from hilum.audit import AuditedAct
from hilum.console.desk import Desk
from hilum.console.mishaps import told_as
from hilum.console.noting import on_record
from hilum.console.refusing import RefusedForm, TypedForm
from hilum.errors import AuditUnavailable
from hilum.people.visitor import Visitor
from hilum.records.models.standings import NotedPause
from hilum.records.states import PausedKind

PauseReason = Annotated[str, Form(max_length=2 * pausing.LONGEST_REASON)]


def refused_pause(
    desk: Desk, visitor: Visitor, kind: PausedKind, name: str, reason: str
) -> RefusedForm | None:
    """Pause it, as `begin_pause` does; the form if that was refused."""
    try:
        begin_pause(desk, visitor, kind, name, reason)
    except (HTTPException, AuditUnavailable) as error:
        return RefusedForm.of(TypedForm("pause", reason=reason), error)
    return None


def begin_pause(desk: Desk, visitor: Visitor, kind: PausedKind, name: str, reason: str) -> str:
    """Pause it; what that means, in words.

    Raises
    ------
    HTTPException
        409: the reason is missing, or it is paused already.
    AuditUnavailable
        It cannot be written down, so it is not done.
    """
    about = pausing.audited_object(kind, name)
    with told_as(409):
        why = pausing.reason_of(reason)
        with on_record(desk, visitor, AuditedAct.PAUSED, about, why):
            new = NotedPause(kind, name, time.time(), visitor.name, why)
            return pausing.pause(desk.site, desk.records, new)


def end_pause(desk: Desk, visitor: Visitor, kind: PausedKind, name: str) -> str:
    """Let it go on; what that means, in words.

    Raises
    ------
    HTTPException
        409: it is not paused.
    AuditUnavailable
        It cannot be written down, so it is not done.
    """
    about = pausing.audited_object(kind, name)
    with told_as(409), on_record(desk, visitor, AuditedAct.RESUMED, about, ""):
        return pausing.resume(desk.site, desk.records, kind, name)
