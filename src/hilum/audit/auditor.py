"""Writes down who did what, for pages, API and commands."""

import logging
import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from hilum.audit.entry import (
    GO_ON,
    LOOKS,
    NOTHING,
    AuditedAct,
    AuditedObject,
    AuditEntry,
    AuditNote,
    AuditOutcome,
    ObjectType,
    Origin,
)
from hilum.audit.gaps import AuditGap, Gaps
from hilum.audit.store import FILE, AuditStore
from hilum.errors import AuditUnavailable

SAME_LOOK_SECONDS = 900.0  # a page that is opened again within them is the same look
MOST_LOOKS = 10_000  # that are remembered
NOT_DONE = "not done, because it cannot be written down who did it"

log = logging.getLogger(__name__)


class AuditedPerson(Protocol):
    """Who acts: a `Visitor` of the console."""

    @property
    def name(self) -> str:
        """Name of the account."""

    @property
    def role(self) -> StrEnum:
        """What they are to Hilum."""

    @property
    def identity(self) -> str:
        """Who it is for sure: two may have one name."""

    @property
    def address(self) -> str:
        """The address of their machine."""

    @property
    def form_token(self) -> str:
        """That of their session; "" for a program, which has none."""


@dataclass(frozen=True)
class Actor:
    """Who acts, as the trail names them, and where; the fields are those of `AuditNote`."""

    person: str
    role: str = ""
    account: str = ""
    address: str = ""
    origin: Origin = Origin.SERVICE


SERVICE = Actor("hilum", address=socket.gethostname())


class Auditor:
    """What everything is noted through; any number of threads may do so.

    `clock` gives the time in s since 1970.
    """

    def __init__(self, data: Path, clock: Callable[[], float] = time.time) -> None:
        self.store = AuditStore(audit_file(data))
        self.woken: list[threading.Event] = []  # set with every entry, for those who send them on
        self._gaps = Gaps(data)
        self._clock = clock
        self._lock = threading.Lock()
        self._looks: OrderedDict[tuple[str, ...], float] = OrderedDict()

    def close(self) -> None:
        """Close the file."""
        self.store.close()

    def note(
        self,
        act: AuditedAct,
        visitor: AuditedPerson,
        object: AuditedObject = NOTHING,
        patient_id: str = "",
        reason: str = "",
        outcome: AuditOutcome | None = None,
    ) -> AuditEntry | None:
        """Write down what a visitor of the console or of the API does, before it is done.

        Without an `outcome`, a look is *done*, and whatever changes something is *asked*: if it
        fails, note that as well, with the reason.

        A page that the same session opens again within a quarter of an hour is not noted again;
        then, and where a look cannot be noted, the answer is None.

        Raises
        ------
        AuditUnavailable
            It cannot be written down, and so must not be done; looking at something may.
        """
        origin = Origin.CONSOLE if visitor.form_token else Origin.API
        actor = Actor(visitor.name, visitor.role.value, visitor.identity, visitor.address, origin)
        look = (visitor.form_token, visitor.name, act, object.type, object.id, outcome or "")
        if act in LOOKS and self._is_same_look(look):
            return None
        return self.note_of(actor, act, object, patient_id, reason, outcome)

    def note_of(
        self,
        actor: Actor,
        act: AuditedAct,
        object: AuditedObject = NOTHING,
        patient_id: str = "",
        reason: str = "",
        outcome: AuditOutcome | None = None,
    ) -> AuditEntry | None:
        """The same for whoever it is, such as the user of a command; every look is noted."""
        if outcome is None:
            outcome = AuditOutcome.DONE if act in GO_ON else AuditOutcome.ASKED
        note = self._made(actor, act, object, patient_id, reason, outcome)
        try:
            entry = self._add_after(self._gap(), note)
        except AuditUnavailable as error:
            if act not in GO_ON:
                raise AuditUnavailable(f"{NOT_DONE}: {error}") from error
            self._note_gap(note.at, str(error))
            return None
        self._wake()
        return entry

    def settle(self) -> None:
        """Tell in the trail of a gap in it, if there is one and the trail can be written again."""
        with suppress(AuditUnavailable):
            gap = self._gap()
            if gap.count:
                self._add_after(gap)
                self._wake()

    def purge(self, keep_days: float, upto: int) -> int:
        """Remove the entries that are older than so many days, up to entry `upto`; how many."""
        about = AuditedObject(ObjectType.AUDIT_TRAIL)
        note = self._made(SERVICE, AuditedAct.AUDIT_PURGED, about, "", "", AuditOutcome.DONE)
        return self.store.purge(note, note.at - keep_days * 24 * 3600, upto)

    def _made(
        self,
        actor: Actor,
        act: AuditedAct,
        object: AuditedObject,
        patient_id: str,
        reason: str,
        outcome: AuditOutcome,
    ) -> AuditNote:
        return AuditNote(
            at=self._clock(),
            person=actor.person,
            role=actor.role,
            account=actor.account,
            address=actor.address,
            origin=actor.origin,
            act=act,
            object_type=object.type,
            object=object.id,
            study_uid=object.study_uid,
            patient_id=patient_id,
            reason=reason,
            outcome=outcome,
        )

    def _add_after(self, gap: AuditGap, *notes: AuditNote) -> AuditEntry:
        """Write down `notes`, and before them what is to be told of a gap."""
        if not gap.count:
            return self.store.add(*notes)
        about = AuditedObject(ObjectType.AUDIT_TRAIL)
        told = (SERVICE, AuditedAct.AUDIT_GAP, about, "", gap.text, AuditOutcome.FAILED)
        entry = self.store.add(self._made(*told), *notes)
        with suppress(OSError):
            self._gaps.close(gap)
        return entry

    def _gap(self) -> AuditGap:
        try:
            return self._gaps.prepare()
        except OSError:  # then the trail, which lies beside it, says what is wrong
            return AuditGap()

    def _wake(self) -> None:
        for event in self.woken:
            event.set()

    def _note_gap(self, at: float, problem: str) -> None:
        log.error("it is not written down who looks at what: %s", problem)
        with suppress(OSError):  # nothing can be written at all: the log may have said it
            self._gaps.note(at, problem)

    def _is_same_look(self, look: tuple[str, ...]) -> bool:
        """Whether it was noted a short while ago; it counts as seen now."""
        now = self._clock()
        with self._lock:
            seen = self._looks.pop(look, None)
            self._looks[look] = now
            if len(self._looks) > MOST_LOOKS:
                self._looks.popitem(last=False)
        return seen is not None and now - seen < SAME_LOOK_SECONDS


def audit_file(data: Path) -> Path:
    """The file of the audit trail of a data folder."""
    return data / FILE
