"""Wake-up hints between our processes: datagrams that may be lost, never the truth.

The inbox on disk is the truth; a hint only saves waiting for the next sweep. Each kind of hint is
one class here; what cannot be read as one of them is dropped.
"""

import contextlib
import json
import logging
import os
import queue
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, assert_never, get_args

from pydantic import TypeAdapter

from hilum import inbox
from hilum.rejections import Rejection

MAXIMUM_BYTES = 65_536

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stored:
    """A new image is durable at `path`. `reason` is what was put right in its file, or "".

    `association` names what the image came with: an association, or what a source fetched in one
    go. It is `late` if a pause before it was ours, not the sender's.
    """

    path: Path
    association: str = ""
    caller: str = ""
    study: str = ""
    reason: str = ""
    late: bool = False


@dataclass(frozen=True)
class Duplicate:
    """An image came again that lies at `path` already."""

    path: Path
    association: str = ""


@dataclass(frozen=True)
class Quarantined:
    """An object was quarantined at `path`; `study` is "" where it is not known.

    `address` and `called` are those of the association that it came through, "" for a source.
    """

    path: Path
    caller: str = ""
    study: str = ""
    reason: str = ""
    address: str = ""
    called: str = ""


@dataclass(frozen=True)
class Released:
    """An association ended in order; `sign` is how that was seen."""

    association: str
    caller: str = "sender"
    sign: str = "released the association"


@dataclass(frozen=True)
class Aborted:
    """An association broke off, for this `reason`."""

    association: str
    caller: str = "sender"
    reason: str = ""


@dataclass(frozen=True)
class Counted:
    """An archive has so many `images` of a series; `study` and `series` are UIDs."""

    study: str
    series: str
    images: int


@dataclass(frozen=True)
class Rejected:
    """The receiver rejected somebody."""

    rejection: Rejection


@dataclass(frozen=True)
class Written:
    """A worker has written results that are to be delivered."""


@dataclass(frozen=True)
class Ready:
    """The run `workitem` can begin: it replaces another, or what it waits for has come."""

    workitem: str


@dataclass(frozen=True)
class Committed:
    """An archive has answered a request for storage commitment."""


@dataclass(frozen=True)
class Updated:
    """The hospital has said something of a patient."""


@dataclass(frozen=True)
class Assessed:
    """An object has come that may say what a reader thinks of a result."""


@dataclass(frozen=True)
class Asked:
    """Somebody wants the receiver of this hint to look now: a person has left a request in the
    records, or an archive has something new.
    """


@dataclass(frozen=True)
class Resumed:
    """A person lets a destination or a module go on that was paused."""


@dataclass(frozen=True)
class Started:
    """The watcher of a source has started; the one before may not have told of everything."""


@dataclass(frozen=True)
class Died:
    """A process of ours died and was started again."""


Arriving = Stored | Duplicate | Quarantined | Released | Aborted | Counted  # what a sender does
Told = Written | Ready | Committed | Updated | Assessed | Asked | Resumed | Started | Died
Hint = Arriving | Rejected | Told

_READERS: dict[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind) for kind in get_args(Hint)
}


def hint_of(
    kept: inbox.Receipt, association: str, caller: str, study: str, late: bool = False
) -> Arriving:
    """The hint about an object that was handed to the inbox."""
    match kept.outcome:
        case inbox.Intake.STORED:
            return Stored(kept.path, association, caller, study, kept.reason, late)
        case inbox.Intake.DUPLICATE:
            return Duplicate(kept.path, association)
        case inbox.Intake.QUARANTINED:
            return Quarantined(kept.path, caller, study, kept.reason)
    assert_never(kept.outcome)


def encode(hint: Hint) -> bytes:
    """The datagram of a hint: a JSON array of the name of its class, and its fields."""
    name = type(hint).__name__
    return json.dumps([name, _READERS[name].dump_python(hint, mode="json")]).encode()


def decode(datagram: bytes) -> Hint:
    """The hint in a datagram; `ValueError` if it is none that we know."""
    match json.loads(datagram):
        case [str(name), dict(fields)] if name in _READERS:
            hint: Hint = _READERS[name].validate_python(fields)
            return hint
    raise ValueError("no hint that is known")


def gateway_address(data: Path) -> Path:
    """The socket at which the gateway takes hints."""
    return data / "hints.sock"


def is_abandoned(address: Path) -> bool:
    """Whether a process has listened at `address`, and none does now; nothing is sent there."""
    with (
        contextlib.suppress(OSError),
        contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as probe,
        _short(address) as short,
    ):
        try:
            probe.connect(short)
        except ConnectionRefusedError:
            return True
    return False


def wake_address(data: Path, source: str) -> Path:
    """The socket at which the process of a source waits to be woken up."""
    return data / f"wake-{source}.sock"


def worker_address(data: Path, number: int) -> Path:
    """The socket at which a worker waits to be woken up."""
    return data / f"worker-{number}.sock"


def wake_workers(data: Path) -> None:
    """Tell the workers on this machine that there is work."""
    for address in data.glob("worker-*.sock"):
        # they look by themselves every few seconds, so what cannot be said now is no trouble
        with contextlib.suppress(OSError), contextlib.closing(HintSender(address)) as sender:
            sender.send(Asked())


@contextlib.contextmanager
def _short(address: Path) -> Iterator[str]:
    """`address` by way of its open folder: the kernel takes no more than 107 bytes for a socket."""
    folder = os.open(address.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{address.name}"
    finally:
        os.close(folder)


class HintSender:
    """Sends hints to `address` (a Unix datagram socket); `send` never blocks and never raises."""

    def __init__(self, address: Path) -> None:
        self._address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def send(self, hint: Hint) -> bool:
        """Send `hint` to the process that listens at the address; whether it was taken."""
        with contextlib.suppress(OSError), _short(self._address) as short:
            self._socket.sendto(encode(hint), short)
            return True
        return False

    def close(self) -> None:
        """Send no more."""
        self._socket.close()


class HintReceiver:
    """Receives hints at `address`.

    A thread of its own empties the socket: the kernel queues no more than about ten datagrams.
    `dropped` is how many of them were no hints.
    """

    def __init__(self, address: Path) -> None:
        address.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        with _short(address) as short:
            self._socket.bind(short)
        self._closed = False
        self.dropped = 0
        self._hints: queue.SimpleQueue[Hint | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="hints", daemon=True).start()

    def receive(self, timeout: float) -> list[Hint]:
        """Every hint waiting, or those that arrive within `timeout` seconds; maybe none."""
        came = []
        with contextlib.suppress(queue.Empty):
            came.append(self._hints.get(timeout=timeout))
            while True:
                came.append(self._hints.get_nowait())
        return [hint for hint in came if hint]

    def wake(self) -> None:
        """Have `receive` return now; a handler of signals may call it, too."""
        self._hints.put(None)

    def close(self) -> None:
        """Stop reading."""
        self._closed = True
        self._socket.shutdown(socket.SHUT_RD)  # wakes the thread, which closes the socket

    def _read(self) -> None:
        with self._socket:
            while not self._closed:
                if datagram := self._socket.recv(MAXIMUM_BYTES):
                    self._take(datagram)

    def _take(self, datagram: bytes) -> None:
        try:
            self._hints.put(decode(datagram))
        except (ValueError, RecursionError):  # only a hint, what it told of is found by a sweep
            self.dropped += 1
            if self.dropped == 1:
                log.warning("a datagram was dropped: it is no hint; further ones are not logged")
