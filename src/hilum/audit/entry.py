"""One entry of the audit trail: who did what, when, to what, why, and what came of it."""

import hashlib
import json
from dataclasses import astuple, dataclass, field
from enum import StrEnum

from hilum.errors import HilumError

FORM = 1  # of what is hashed; another number once the fields change
LONGEST = {"reason": 2000}  # characters; whoever writes a name that long fills no disk
LONGEST_OTHER = 256


class AuditedAct(StrEnum):
    """What somebody did."""

    OPENED = "opened"  # a page with patient data
    SEARCHED = "searched"
    RERUN = "rerun"
    ANALYSE = "analyse"
    ANALYSE_SHORT = "analyse short"
    SEND_ON = "send on"
    RETRY = "retry"
    BEGIN = "begin"
    CANCEL = "cancel"
    RELEASE = "release"
    WITHDRAW = "withdraw"
    RESEND = "resend"
    DECIDE = "decide"
    ASSESS = "assess"
    FETCH = "fetch"
    UPLOADED = "uploaded"
    EXPORTED = "exported"
    SENT_TO_SERVER = "sent to a server"  # of inference; by Hilum itself
    RECOVERED = "recovered"
    PAUSED = "paused"  # a destination, a source or a module
    RESUMED = "resumed"
    SETTINGS_CHANGED = "settings changed"
    PEOPLE_CHANGED = "people changed"
    LOGIN = "login"
    LOGOUT = "logout"
    AUDIT_READ = "audit read"
    AUDIT_PURGED = "audit purged"
    AUDIT_GAP = "audit gap"


# Whoever reads, or logs in to see what is wrong, is let go on when nothing can be written down;
# whoever changes something is not.
GO_ON = frozenset(
    {
        AuditedAct.OPENED,
        AuditedAct.SEARCHED,
        AuditedAct.AUDIT_READ,
        AuditedAct.LOGIN,
        AuditedAct.LOGOUT,
    }
)
LOOKS = frozenset({AuditedAct.OPENED, AuditedAct.AUDIT_READ})


class AuditOutcome(StrEnum):
    """What came of an act."""

    DONE = "done"
    ASKED = "asked"  # it is done after it was noted; if it fails, that is an entry of its own
    FAILED = "failed"
    DENIED = "denied"  # the role does not allow it


class Origin(StrEnum):
    """Where somebody acted."""

    CONSOLE = "console"
    API = "API"
    COMMAND_LINE = "command line"
    DICOM = "DICOM"  # in an object that a reader has made elsewhere, and that was sent to us
    SERVICE = "service"  # Hilum itself


class ObjectType(StrEnum):
    """What kind of thing an act was done to."""

    NOTHING = "nothing"
    STUDY = "study"
    WORKITEM = "workitem"
    SEARCH = "search"
    RULE = "rule"
    MODULE = "module"
    FILTER = "filter"  # of the list of studies, for everybody
    SOURCE = "source"
    DESTINATION = "destination"
    WORKLIST = "worklist"
    SERVER = "server"  # of inference, by its address
    SETTINGS = "settings"
    RECORDS = "records"
    BACKUP = "backup"
    PERSON = "person"
    AUDIT_TRAIL = "audit trail"


@dataclass(frozen=True)
class AuditedObject:
    """What an act was done to; `study_uid` is the study it belongs to, if it does."""

    type: ObjectType = ObjectType.NOTHING
    id: str = ""
    study_uid: str = ""

    @classmethod
    def study(cls, uid: str) -> "AuditedObject":
        """A study, by its Study Instance UID."""
        return cls(ObjectType.STUDY, uid, uid)

    @classmethod
    def workitem(cls, id: str, study_uid: str) -> "AuditedObject":
        """A workitem of a study."""
        return cls(ObjectType.WORKITEM, id, study_uid)

    @classmethod
    def search(cls, query: object) -> "AuditedObject":
        """A search, by the names of those fields of `query` that say something.

        What they say is left out: it may be a name.
        """
        return cls(ObjectType.SEARCH, ", ".join(n for n, value in vars(query).items() if value))


NOTHING = AuditedObject()


@dataclass(frozen=True, kw_only=True)
class AuditNote:
    """What is to be written down.

    Attributes
    ----------
    at
        In s since 1970.
    person
        Name of the account, or of the user of the operating system.
    role
        Of the person at that time; "" on the command line.
    account
        Who that is for sure: the identity of a `Visitor`, or the user of the operating system that
        a command ran as.
    address
        Address of the person's machine, "" if it is not known; of a command the name of this one.
    patient_id
        Patient ID (0010,0020). It stands nowhere else but here and in what is exported or sent.
    reason
        What the person gave as reason, or chose with the act; of what failed, why.
    """

    at: float
    person: str
    role: str
    account: str
    address: str
    origin: Origin
    act: AuditedAct
    object_type: ObjectType
    object: str
    study_uid: str
    patient_id: str = field(repr=False)
    reason: str
    outcome: AuditOutcome


@dataclass(frozen=True, kw_only=True)
class AuditEntry(AuditNote):
    """What was written down; `hash` seals it, and with it all before, by the hash of the last."""

    number: int
    previous: str
    hash: str


Value = str | float | int


@dataclass(frozen=True)
class ChainHead:
    """The last entry of a trail: whoever keeps it elsewhere can prove that nothing was cut off."""

    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> "ChainHead":
        """What `str` gives, read back; `HilumError` if it is none."""
        number, _, sealed = text.strip().partition(":")
        if not number.isdecimal() or not sealed:
            text = f"{text} is no head: it is what `hilum audit head` printed, NUMBER:HASH"
            raise HilumError(text)
        return cls(int(number), sealed)


def seal(content: tuple[Value, ...], number: int, previous: str) -> str:
    """SHA-256, in hex, over an entry and the hash of the one before.

    `content` are the fields of `AuditNote` in their order.
    """
    return hashlib.sha256(json.dumps([FORM, number, *content, previous]).encode()).hexdigest()


def content_of(note: AuditNote) -> tuple[Value, ...]:
    """The fields of a note as they are stored and sealed: texts that fit, and can be written."""
    values = astuple(note)
    return tuple(map(_stored, CONTENT, values))


def _stored(field: str, value: Value) -> Value:
    if not isinstance(value, str):
        return float(value)
    text = str(value)[: LONGEST.get(field, LONGEST_OTHER)]
    return text.encode(errors="backslashreplace").decode()


CONTENT = tuple(AuditNote.__dataclass_fields__)
