"""What every command does that changes something: it writes down who typed it, before it acts."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

import typer
from typer.models import CommandInfo

from hilum.errors import HilumError
from hilum.privacy import make_private

if TYPE_CHECKING:
    from hilum.audit import AuditedAct, AuditedObject
    from hilum.config.site import Site
    from hilum.records import Records
    from hilum.records.models.requests import Wish
    from hilum.records.states import RequestAction

UNTOLD = ("config", "name", "password_file")  # what of a command is not its reason


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
) -> Iterator[Acting]:
    """What is inside is done only if it is in the audit trail that this user does it.

    That it failed, because it says so or by an error, is an entry of its own.

    Raises
    ------
    AuditUnavailable
        It cannot be written down, and so nothing was done.
    """
    from hilum.audit import Auditor, AuditOutcome
    from hilum.audit.system_user import actor_here

    acting = Acting()
    with closing(Auditor(site.data)) as auditor:
        actor = actor_here()
        auditor.note_of(actor, act, object, patient_id, reason)
        try:
            yield acting
        except HilumError as error:
            acting.failure = str(error)
            raise
        except BaseException as error:
            acting.failure = f"ended by {type(error).__name__}"  # its text may be of a patient
            raise
        finally:
            if acting.failure:
                failed = (patient_id, acting.failure, AuditOutcome.FAILED)
                auditor.note_of(actor, act, object, *failed)


def put_on_record(group: typer.Typer, *names: str) -> None:
    """Have each command of `group` with one of these names write down that it changes people.

    What was typed is the reason: a password is never among it, for it is asked for, or in a file.
    """
    commands = {command.name or _name_of(command): command for command in group.registered_commands}
    for name in names:
        commands[name].callback = _audited(name, commands[name].callback)


def _name_of(command: CommandInfo) -> str:
    assert command.callback
    return command.callback.__name__


def _audited(name: str, callback: Callable[..., Any] | None) -> Callable[..., Any]:
    assert callback

    @wraps(callback)
    def typed(**values: Any) -> Any:
        from hilum.audit import AuditedAct, AuditedObject, ObjectType
        from hilum.config import load

        person = str(values.get("name", ""))
        about = AuditedObject(ObjectType.PERSON, person)
        words = [f"{key} {value}" for key, value in values.items() if key not in UNTOLD and value]
        reason = ", ".join([name, *words])
        site = load(values["config"])
        make_private(site.data)  # there may be people before Hilum ran for the first time
        with audited(site, AuditedAct.PEOPLE_CHANGED, about, reason):
            return callback(**values)

    return typed


def ask_on_record(
    site: "Site",
    records: "Records",
    action: "RequestAction",
    workitem_id: str = "",
    reason: str = "",
    patience: float | None = None,
    patient_id: str | None = None,
    study_uid: str = "",
    wish: "Wish | None" = None,
) -> tuple[bool, str]:
    """Ask the gateway for something, as `hilum.asking.ask` does; the trail has it before.

    `patient_id` is the one on record if it is None.
    """
    from hilum.asking import PATIENCE, ask, said
    from hilum.audit import AuditedAct, AuditedObject
    from hilum.records.requests import NOTHING_CHOSEN

    wish = wish or NOTHING_CHOSEN
    study_uid = study_uid or records.workitems.one(workitem_id).study_uid
    object = AuditedObject.study(study_uid)
    if workitem_id:
        object = AuditedObject.workitem(workitem_id, study_uid)
    if patient_id is None:
        patient_id = records.identifiers.patient_of(study_uid)
    with audited(site, AuditedAct(action.value), object, said(reason, wish), patient_id) as acting:
        limit = PATIENCE if patience is None else patience
        done, answer = ask(records, site.data, action, workitem_id, reason, limit, study_uid, wish)
        if not done:
            acting.failure = answer
    return done, answer
