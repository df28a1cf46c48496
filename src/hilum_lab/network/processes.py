"""Programs of the clinical network as child processes which end with their parent."""

import contextlib
import fcntl
import itertools
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Self

from hilum.errors import HilumError

LOOPBACK = "127.0.0.1"
START_SECONDS = 60.0  # longest wait for a program to begin: the machine may be busy
LISTENING = "0A"  # state of a socket in /proc/net/tcp


# Below those of outgoing connections (ip(7): from 32768). Processes begin at different places.
FIRST_PORT, LAST_PORT = 20_000, 32_767
_PORTS = LAST_PORT - FIRST_PORT + 1
_offsets = itertools.count(os.getpid() * 97)


def available_port(preferred: int | None = None) -> int:
    """`preferred` if nobody listens on it, else a free port of the loopback interface.

    Between looking for a port and listening on it there is time for somebody else to take it. So
    one that was given is reserved: as long as this process lives, no other gets it from here.
    """
    one_round = (FIRST_PORT + next(_offsets) % _PORTS for _ in range(_PORTS))
    for port in itertools.chain([preferred] if preferred else [], one_round):
        with socket.socket() as listener, contextlib.suppress(OSError):  # privileged or taken
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((LOOPBACK, port))
            # the byte of that number, fcntl(2): the kernel frees it when this process ends
            fcntl.lockf(_reservations(), fcntl.LOCK_EX | fcntl.LOCK_NB, 1, port)
            return port
    raise HilumError("there is no free port below those of outgoing connections")


@cache
def _reservations() -> int:
    """The file whose bytes stand for ports. It is never closed, for that would free all of them."""
    path = Path(tempfile.gettempdir()) / f"hilum-ports-{os.getuid()}"
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)


def listens(port: int) -> bool:
    """Whether somebody accepts connections on `port` of the loopback interface."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((LOOPBACK, port)) == 0


def addresses_of(port: int) -> set[str]:
    """On which addresses of this machine somebody listens on `port`, as the kernel knows (proc(5)).

    0.0.0.0 and :: stand for all interfaces.
    """
    found = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        path = Path("/proc/net") / table
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            _, local, _, state = line.split()[:4]
            address, _, hexadecimal = local.partition(":")
            if state == LISTENING and int(hexadecimal, 16) == port:
                words = struct.iter_unpack("=I", bytes.fromhex(address))
                packed = b"".join(struct.pack(">I", *word) for word in words)
                found.add(socket.inet_ntop(family, packed))
    return found


def in_words(addresses: set[str]) -> str:
    """Where somebody listens, such as "all interfaces"."""
    everywhere = {"0.0.0.0", "::"} & addresses
    return "all interfaces" if everywhere else " and ".join(sorted(addresses)) or "no address"


class Child:
    """A running program. It gets SIGTERM when the thread that started it ends, however it ends."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        # `setpriv` becomes the program itself, so the process id is the program's.
        setpriv = shutil.which("setpriv")
        tether = [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*tether, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool], seconds: float = START_SECONDS) -> None:
        """Return as soon as `ready()`; raise `HilumError` if it dies or takes too long."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running:
                raise HilumError(f"{self.name} ended at once; its log is {self.log}")
            if time.monotonic() > deadline:
                self.kill()
                raise HilumError(f"{self.name} was not ready in {seconds:g} s; log: {self.log}")
            time.sleep(0.02)

    def stop(self, seconds: float = 10) -> None:
        """Ask it to end; kill it if it does not."""
        self._process.terminate()
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it at once, as a power cut would (SIGKILL)."""
        self._process.kill()
        self._process.wait()


class Service:
    """A server in a child process: running inside `with`, or between `start()` and `stop()`."""

    _child: Child | None = None

    @property
    def pid(self) -> int | None:
        return self._child.pid if self._child else None

    def start(self) -> Self:
        """Start the server; return when it is ready."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the server in order; what it keeps in its folder stays."""
        if self._child:
            self._child.stop()
            self._child = None

    def kill(self) -> None:
        """End the server as a power cut would."""
        if self._child:
            self._child.kill()
            self._child = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
