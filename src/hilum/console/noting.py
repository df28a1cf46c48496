"""Notes in the audit trail who signs in, who tries to, and who signs out."""

from functools import partial

from anyio import to_thread
from fastapi import Request

from hilum.audit import Actor, AuditedAct, AuditOutcome, Origin
from hilum.console.desk import Desk
from hilum.console.guard import address_of_browser
from hilum.people.visitor import Visitor


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
