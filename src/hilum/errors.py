"""Every error Hilum raises on purpose.

    HilumError
    +-- ConfigurationError      the site's settings are wrong
    +-- MissingPartError        a program or file of the machine is not there
    +-- RemovedError            images or results were removed, by a rule or by hand
    +-- DicomError              an object cannot be used as it is
    |   +-- UnreadableError     not DICOM, truncated, or a needed attribute is broken
    |   +-- NoVolumeError       the slices do not form one regular volume
    |   +-- IdentityError       the images of one result name different patients
    +-- MachineError            memory, open files or the like ran out: no input is to blame
    +-- ModuleError             a module could not be loaded or failed
    |   +-- FindingError        what it found cannot be written; the text says which and why
    |   +-- ModuleCrashed       its process died or was killed
    |   +-- ModuleCancelled     its result was no longer wanted
    |   +-- ServerError         the server that computes it gave no answer that can be used
    |       +-- ServerAway      it is down or busy: the study waits, and it is asked again by itself
    +-- RecordsUnavailable      our database does not answer
    +-- BackupError             no backup was made
    +-- UploadError             nothing further of an upload is taken; see the cure
    +-- OtherVersionError       our database was made by another version of Hilum
    +-- RecordsUnusable         our database is lost, damaged, read-only or too old; see the cure
    +-- AuditUnavailable        who did what cannot be written down or read; see the cure
    +-- MessageError            an HL7 message cannot be used as it is
    +-- SourceError             an archive we watch did not give what it was asked for
    |   +-- SourceDelayed       down, slow or busy: it is asked again by itself
    |   +-- SourceRefused       it will not answer; the text says the cure
    +-- NotificationError       nobody could be told of an alarm; the text says why
    +-- DeliveryError           a result could not be handed over
        +-- DeliveryDelayed     try again later: the other side is down or busy
        +-- DeliveryRefused     trying again will not help; the text says the cure

Outcomes that are not errors ("no series matched", "duplicate") are values, never exceptions.
Texts never contain patient data.
"""

import sysconfig
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

INSTALLED = {"site-packages", "dist-packages"}
MOST_LINES = 5  # on the way to an error
LIBRARIES = (sysconfig.get_path("stdlib"), Path(__file__).parent)

RECOVER = (
    "`hilum recover` makes the records again from what lies on disk, and nothing is sent twice"
)
RESTART = "then restart `hilum serve`"  # ends a cure in its settings, which it reads at its start


class HilumError(Exception):
    """Something Hilum can explain; the text says what happened and what to do."""


class ConfigurationError(HilumError):
    """The settings cannot be used; the text names the key, the value and what is expected."""


class MissingPartError(HilumError):
    """A part of the machine is missing; the text holds the command that installs it."""


class RemovedError(HilumError):
    """Images or results are no longer on this machine; the text says how many and why."""


class DicomError(HilumError):
    """A DICOM object cannot be used as it is."""


class UnreadableError(DicomError):
    """The bytes are no DICOM object that identifies itself, or its pixels cannot be decoded."""


class NoVolumeError(DicomError):
    """The instances of a series do not form one regularly spaced volume."""


class IdentityError(DicomError):
    """Images that are to give one result name different patients."""


class MachineError(HilumError):
    """The machine gave no memory, no open file or the like; what was read is not to blame."""


class ModuleError(HilumError):
    """A module could not be loaded, or raised while it ran."""


class FindingError(ModuleError, ValueError):
    """A finding of a module cannot be written as it is; the text says what is wrong with it."""


class ModuleCrashed(ModuleError):  # noqa: N818 - the word a log reader looks for
    """The module's process died, ran out of memory or out of time, and was killed."""


class ModuleCancelled(ModuleError):  # noqa: N818
    """The module was killed because its result is no longer wanted."""


class ServerError(ModuleError):
    """A server that computes a module gave no answer, or none that makes sense; see the text."""


class ServerAway(ServerError):  # noqa: N818
    """The server that computes a module is down, slow or busy; it is asked again by itself."""


class RecordsUnavailable(HilumError):  # noqa: N818
    """Our own database is locked, full or away."""


class BackupError(HilumError):
    """No backup was made; the text says why."""


class UploadError(HilumError):
    """Nothing further of an upload is taken; the text says why, and what to do."""


class OtherVersionError(HilumError):
    """Our own database was made by another version of Hilum; the text says what to do."""


class RecordsUnusable(HilumError):  # noqa: N818
    """Our own database is lost, damaged, read-only or older than what lies on disk beside it."""


class AuditUnavailable(HilumError):  # noqa: N818
    """The audit trail cannot be written or read; the text says why, and what to do."""


class MessageError(HilumError):
    """An HL7 message cannot be used as it is; the text says what is wrong with it."""


class SourceError(HilumError):
    """An archive that Hilum watches did not give what it was asked for."""


class _AsksToWait(Exception):  # noqa: N818
    """`pause_seconds`: how long the other side wants not to be asked; 0 where it does not say."""

    def __init__(self, text: str, pause_seconds: float = 0.0) -> None:
        super().__init__(text)
        self.pause_seconds = pause_seconds


class SourceDelayed(_AsksToWait, SourceError):  # noqa: N818
    """The archive is unreachable, slow or busy; it is asked again by itself."""


class SourceRefused(SourceError):  # noqa: N818
    """The archive will not answer as things are; the text says what a person must do."""


class NotificationError(HilumError):
    """A notifier could not tell anybody of an alarm; the text says why, and what to do."""


class DeliveryError(HilumError):
    """A destination did not take a result."""


class DeliveryDelayed(_AsksToWait, DeliveryError):  # noqa: N818
    """The destination is unreachable or busy; delivery is repeated later by itself."""


class DeliveryRefused(DeliveryError):  # noqa: N818
    """The destination will never take this as it is; the text says what a person must do."""


def is_of_the_machine(error: BaseException) -> bool:
    """Whether `error` says what the machine lacks, not what some bytes are.

    Libraries raise `OSError` on broken bytes, too; only the operating system's has a number.
    """
    return isinstance(error, MemoryError | MachineError) or (
        isinstance(error, OSError) and error.errno is not None
    )


def where(error: BaseException, package: str = "") -> str:
    """Type and place of an error. Its text may hold patient data, and stays out of records.

    `package`: the place is the module's own line, as `line_of_module` finds it, where there is one.
    The text of a `FindingError` is our own and names the place itself.
    """
    if isinstance(error, FindingError):
        return f"FindingError: {error}"
    frames = traceback.extract_tb(error.__traceback__)
    last = f"{Path(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else ""
    place = (package and line_of_module(error, package)) or last
    return f"{type(error).__name__} in {place}" if place else type(error).__name__


def way_to(error: BaseException) -> str:
    """What `where` says of an error, and the lines of ours on the way to it, the last first.

    The line that caught it is left out.
    """
    lines = [
        f"{Path(frame.f_code.co_filename).name}, line {line}"
        for frame, line in [*traceback.walk_tb(error.__traceback__)][1:]
        if _is_ours(frame)
    ]
    said = where(error)
    ours = [line for line in reversed(lines) if not said.endswith(f" in {line}")]
    return ", reached by ".join([said, *ours[:MOST_LINES]])


def is_said_by_us(error: BaseException) -> bool:
    """Whether `error` is one that Hilum explains, and Hilum's own code has raised it.

    Its text may be told then: a module may raise our errors with a text of its own.
    """
    frames = list(traceback.walk_tb(error.__traceback__))
    return isinstance(error, HilumError) and bool(frames) and _is_ours(frames[-1][0])


def _is_ours(frame: FrameType) -> bool:
    return Path(frame.f_code.co_filename).is_relative_to(LIBRARIES[1])


def line_of_module(error: BaseException, package: str = "") -> str:
    """File and line of the last frame on the way to `error` that belongs to a module, or "".

    That is one of `package`, or of neither Hilum nor an installed library; where there is none, as
    for a `StopIteration` in a generator, that of the error which it came from.
    """
    for each in chain_of(error):
        lines = [
            (frame.f_code.co_filename, line)
            for frame, line in traceback.walk_tb(each.__traceback__)
            if _is_of_module(frame, package)
        ]
        if lines:
            return f"{Path(lines[-1][0]).name}, line {lines[-1][1]}"
    return ""


def chain_of(error: BaseException) -> Iterator[BaseException]:
    """The error, and those that it came from."""
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


def _is_of_module(frame: FrameType, package: str) -> bool:
    path = Path(frame.f_code.co_filename)
    name = str(frame.f_globals.get("__name__", ""))
    if package and f"{name}.".startswith(f"{package}."):
        return True
    is_library = not path.is_absolute() or any(path.is_relative_to(folder) for folder in LIBRARIES)
    return not is_library and not INSTALLED.intersection(path.parts)
