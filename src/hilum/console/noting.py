"""Notes in the audit trail who signs in and out, and who does what, before it is done."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from anyio import to_thread
from fastapi import Request

from hilum.audit import Actor, AuditedAct, AuditedObject, AuditOutcome, Origin
from hilum.console.desk import Desk
from hilum.console.guard import address_of_browser
from hilum.errors import HilumError
from hilum.people.visitor import Visitor


@contextmanager
def on_record(
    desk: Desk, visitor: Visitor, act: AuditedAct, about: AuditedObject, reason: str
) -> Iterator[None]:
    """What is inside is done only if it is on record; an error of ours inside is, too.

    Raises
    ------
    AuditUnavailable
        It cannot be written down, so it is not done.
    """
    desk.auditor.note(act, visitor, about, reason=reason)
    try:
        yield
    except HilumError as error:
        desk.auditor.note(act, visitor, about, reason=str(error), outcome=AuditOutcome.FAILED)
        raise


async def note_login(
    request: Request,
    desk: Desk,
    person: str,
    outcome: AuditOutcome,
    reason: str = "",
    role: str = "",
    identity: str = "",
) -> None:
    """Somebody signs in as `person`, or tries to; `reason` says how, or why it fails."""
    actor = Actor(person, role, identity, address_of_browser(request), Origin.CONSOLE)
    note = partial(desk.auditor.note_of, actor, AuditedAct.LOGIN, reason=reason, outcome=outcome)
    await to_thread.run_sync(note)


async def note_logout(desk: Desk, visitor: Visitor) -> None:
    """Somebody signs out."""
    await to_thread.run_sync(partial(desk.auditor.note, AuditedAct.LOGOUT, visitor))
