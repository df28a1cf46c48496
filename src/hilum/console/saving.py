"""Changes the settings file for whoever may: shown as a difference first, then saved as a version.

Everything that the console changes in hilum.toml goes through `save`. Each change is on record in
the audit trail, with its difference, before it is made.
"""

import difflib
import time
from functools import partial

from fastapi import Request

from hilum.audit import AuditedAct, AuditedObject, AuditOutcome, ObjectType
from hilum.checking import check_change
from hilum.config import site_in
from hilum.config.file import ChangedMeanwhile, SettingsFile, SettingsText
from hilum.config.masking import masked
from hilum.config.site import Site
from hilum.config.versions import SettingsVersion
from hilum.console.desk import Desk
from hilum.console.exchange import exchange
from hilum.errors import ConfigurationError, HilumError
from hilum.people.visitor import Visitor

NO_FILE = "Hilum was started without a settings file: nothing can be changed here"
CONTEXT = 2  # lines around what differs
LONGEST_REASON = 300  # characters


def file_of(desk: Desk) -> SettingsFile:
    """The settings file; `ConfigurationError` if there is none."""
    if desk.file is None:
        raise ConfigurationError(NO_FILE)
    return desk.file


def why_fixed(desk: Desk) -> str:
    """Why the settings cannot be changed here; "" if they can."""
    return desk.file.why_read_only() if desk.file else NO_FILE


def difference(before: str, after: str) -> list[str]:
    """The lines that differ, as `diff -u` shows them, without secrets and names of files."""
    old, new = (masked(text).splitlines() for text in (before, after))
    return list(difflib.unified_diff(old, new, n=CONTEXT, lineterm=""))[2:]


def checked(desk: Desk, text: str) -> Site:
    """The settings that `text` gives, if Hilum could follow them; else `ConfigurationError`."""
    site = site_in(text)
    check_change(desk.site, site, has_console=True)
    return site


def save(
    request: Request, desk: Desk, visitor: Visitor, before: SettingsText, after: str, why: str = ""
) -> SettingsVersion:
    """Have the settings file say `after` where it said `before`; the version that this makes.

    Raises
    ------
    ChangedMeanwhile
        Somebody else has changed the file.
    ConfigurationError
        `after` cannot be used, or the file cannot be changed.
    AuditUnavailable
        It cannot be written down, so it is not done.
    """
    file = file_of(desk)
    if after == before.text:
        raise ConfigurationError("nothing is changed by this")
    about = AuditedObject(ObjectType.SETTINGS, file.path.name)
    done = (AuditedAct.SETTINGS_CHANGED, visitor, about)
    told = "\n".join(filter(None, (why, *difference(before.text, after))))
    desk.auditor.note(*done, reason=told)
    try:
        site = file.replace(before, after, partial(check_change, desk.site, has_console=True))
    except HilumError as error:
        desk.auditor.note(*done, reason=masked(str(error)), outcome=AuditOutcome.FAILED)
        raise
    version = desk.versions.keep(after, time.time(), visitor.name, why)
    exchange(request.app, site)
    return version


def require_same(now: SettingsText, based_on: str) -> None:
    """Raise `ChangedMeanwhile` unless the file says what the form was made from."""
    if now.digest != based_on:
        raise ChangedMeanwhile(
            f"{now.file.path.name} was changed meanwhile by somebody else: nothing of yours was "
            "saved. The difference below is to what it says now; save again if it is right"
        )
