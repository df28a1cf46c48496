"""The words between a worker and the process of a module; nothing of them is ever unpickled.

| from   | message        | with it                                                     |
|--------|----------------|-------------------------------------------------------------|
| worker | `GivenFiles`   | descriptors of files of the study, open for reading         |
| worker | `Order`        | to run on them                                              |
| module | `ModuleAnswer` | once it is loaded, then one for each order; see `hosts.shelf` |
| worker | `ServerAnswered` | to one that asks a server; memory that holds what it answered |

Each message is one packet of JSON. The kernel keeps packets whole (SOCK_SEQPACKET), so half a
message never holds anybody up, and a longer one than `LONGEST` is no message.
"""

import array
import os
import select
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import Annotated

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
)

from hilum.dicom.held import HeldFile
from hilum.dicom.parts import Part
from hilum.errors import MachineError, ModuleError
from hilum.servers import ServerReply
from hilum.wording import printable

LONGEST = 64 << 10  # bytes of a message
LONGEST_TEXT = 500  # characters in which a module's process says what went wrong
_MOST_FILES = 100  # in one message; the kernel passes 253
_PORTION = 64 << 20  # bytes that are read at once
_ROOM = 32 << 10  # bytes of a message that its files may fill


class Ended(Enum):
    """How a request to the child has ended."""

    WELL = "well"
    FAILED = "failed"  # the module or its input is to blame
    EXHAUSTED = "exhausted"  # memory, open files or the like ran out
    NO_ROOM = "no room"  # the disk is full
    ASKS = "asks"  # not yet: it waits for what a server answers to the letter on the shelf


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GivenFile(_Message):
    """A file of the study: its name, and the numbers of the frames that are meant."""

    name: str
    frames: tuple[int, ...] | None


class GivenFiles(_Message):
    """Files of one input; their descriptors come with the message, in the same order."""

    input: str
    files: tuple[GivenFile, ...]


class Order(_Message):
    """The module is to run on the files that were given since the last run."""

    number: int
    weights_sha256: str
    parameters: dict[str, JsonValue] = Field(default_factory=dict)


def _on_one_line(text: str) -> str:
    """It goes to the log: a line break or a command to a terminal becomes a space."""
    return printable(text)


class ModuleAnswer(_Message):
    """How a run ended. `text` is the problem in one line, if there is one.

    `number` is that of the `Order`, 0 for the word that the module is loaded. `length` is that of
    the letter on the shelf, 0 where there is none.
    """

    number: Annotated[int, Field(ge=0)]
    ended: Ended
    text: Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(_on_one_line)] = ""
    length: Annotated[int, Field(ge=0)] = 0


class ServerAnswered(_Message):
    """What a server answered; the memory that holds it comes with the message."""

    media_type: str
    json_length: int

    @classmethod
    def of(cls, reply: ServerReply) -> "ServerAnswered":
        """What is to be known of `reply` beside its content."""
        return cls(media_type=reply.media_type[:LONGEST_TEXT], json_length=reply.json_length)


_ASKED: TypeAdapter[GivenFiles | Order] = TypeAdapter(GivenFiles | Order)


def pair() -> tuple[socket.socket, socket.socket]:
    """Both ends: the worker's, and that of the module's process."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return ours, theirs


# The worker's side ------------------------------------------------------------------------------


def hand_over(pipe: socket.socket, descriptors: Sequence[int]) -> None:
    """Hand what it works with to the module's process, once.

    The memory of the shelf, a pipe that ends with us, and the file for what it prints, if any.
    """
    with suppress(ConnectionError):  # it has died; whoever asks it will hear so
        socket.send_fds(pipe, [b"shelf"], descriptors)


def give(pipe: socket.socket, inputs: Mapping[str, Sequence[Part]]) -> None:
    """Open the files of each input, and hand them to the module's process.

    Raises
    ------
    MachineError
        A file cannot be opened.
    OSError
        Nobody takes them.
    """
    for name, parts in inputs.items():
        for some in _portions(parts):
            _give(pipe, name, some)


def _portions(parts: Sequence[Part]) -> Iterator[list[Part]]:
    some: list[Part] = []
    room = _ROOM
    for part in parts:
        room -= 300 + 8 * len(part.frames or ())
        if some and (room < 0 or len(some) == _MOST_FILES):
            yield some
            some, room = [], _ROOM
        some.append(part)
    yield some


def _give(pipe: socket.socket, name: str, parts: Sequence[Part]) -> None:
    opened: list[int] = []
    try:
        for part in parts:
            try:
                opened.append(os.open(part.path, os.O_RDONLY | os.O_CLOEXEC))
            except OSError as error:
                raise MachineError(f"an image cannot be opened: {error.strerror}") from error
        files = tuple(GivenFile(name=part.path.name, frames=part.frames) for part in parts)
        send(pipe, GivenFiles(input=name, files=files), opened)
    finally:
        for descriptor in opened:
            os.close(descriptor)


def send(pipe: socket.socket, message: BaseModel, descriptors: Sequence[int] = ()) -> None:
    """Send one message; `OSError` where nobody takes it."""
    rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))
    pipe.sendmsg([message.model_dump_json().encode()], [rights] if descriptors else [])


def has_said_something(pipe: socket.socket, seconds: float) -> bool:
    """Whether there is a message, or the end of all messages, within `seconds`."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    return bool(poll.poll(1000 * seconds))


def heard(pipe: socket.socket) -> ModuleAnswer:
    """What the module's process says; it has said something.

    Raises
    ------
    EOFError
        It has ended.
    ModuleError
        It is no answer. Files that come with it are not taken.
    """
    try:
        packet = pipe.recv(LONGEST + 1, socket.MSG_DONTWAIT)
    except ConnectionError as error:
        raise EOFError from error
    if not packet:
        raise EOFError
    try:
        return ModuleAnswer.model_validate_json(packet)
    except ValidationError as error:
        raise ModuleError("the module's process gave something that is no answer") from error


def tell(pipe: socket.socket, answer: ServerAnswered, content: bytes) -> None:
    """Hand over what a server answered; `OSError` where nobody takes it."""
    memory = os.memfd_create("answer", os.MFD_CLOEXEC)
    with os.fdopen(memory, "wb") as file:
        file.write(content)
        file.flush()
        send(pipe, answer, [memory])


# The side of the module's process ---------------------------------------------------------------


def handed_over(pipe: socket.socket) -> list[int]:
    """What `hand_over` was given."""
    _word, descriptors, _flags, _address = socket.recv_fds(pipe, LONGEST, 3)
    if not descriptors:
        raise EOFError
    return descriptors


def asked(pipe: socket.socket) -> tuple[Order, dict[str, list[Part]], int]:
    """The next run, its files, and how many of them were more than this process may open.

    Raises `EOFError` once the worker is gone.
    """
    inputs: dict[str, list[Part]] = {}
    lost = 0
    while True:
        packet, descriptors = _received(pipe)
        message = _ASKED.validate_json(packet)
        if isinstance(message, Order):
            break
        lost += len(message.files) - len(descriptors)
        held = zip(message.files, descriptors, strict=False)  # the kernel leaves out what is lost
        parts = [Part(HeldFile.of(file.name, number), file.frames) for file, number in held]
        inputs.setdefault(message.input, []).extend(parts)
    return message, inputs, lost


def answered(pipe: socket.socket) -> ServerReply:
    """What the server answered that the worker has asked; `EOFError` once the worker is gone."""
    packet, (descriptor,) = _received(pipe)
    try:
        told = ServerAnswered.model_validate_json(packet)
        return ServerReply(_whole(descriptor), told.media_type, told.json_length)
    finally:
        os.close(descriptor)


def let_go(inputs: Mapping[str, Sequence[Part]]) -> None:
    """Close the files that `asked` gave."""
    for parts in inputs.values():
        for part in parts:
            if isinstance(part.path, HeldFile):
                os.close(part.path.descriptor)


def _whole(descriptor: int) -> bytes:
    parts = []
    place = 0
    while part := os.pread(descriptor, _PORTION, place):
        parts.append(part)
        place += len(part)
    return b"".join(parts)


def _received(pipe: socket.socket) -> tuple[bytes, list[int]]:
    room = socket.CMSG_SPACE(_MOST_FILES * array.array("i").itemsize)
    packet, rights, _flags, _address = pipe.recvmsg(LONGEST, room)
    if not packet:
        raise EOFError
    descriptors = array.array("i")
    for level, kind, numbers in rights:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors.frombytes(numbers[: len(numbers) - len(numbers) % descriptors.itemsize])
    return packet, list(descriptors)
