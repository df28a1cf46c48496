"""Raises walls around itself, tries to get out in every way, and prints how each try ended.

    python escapes.py '{"abi": 4, "inside": "...", "outside": "...", ...}'

A try that succeeds prints "got out". It needs no library, so that it begins at once.
"""

import ctypes
import json
import mmap
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from hilum.hosts.walls import Reach, limits
from hilum.hosts.walls.deeds import deed_of

ASKED = json.loads(sys.argv[1])
INSIDE, OUTSIDE, DATA = (Path(ASKED[name]) for name in ("inside", "outside", "data"))
PARENT = os.getppid()
LIBC = ctypes.CDLL(None, use_errno=True)
SYSCALL = LIBC.syscall
X86 = os.uname().machine == "x86_64"


def raw(on_x86: int, on_arm: int, *arguments: object) -> None:
    """A system call without Python's own checks; a process that it makes ends."""
    before = os.getpid()
    result = SYSCALL(ctypes.c_long(on_x86 if X86 else on_arm), *arguments)
    if os.getpid() != before:
        os._exit(0)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def family(number: int, kind: int = socket.SOCK_STREAM) -> Callable[[], object]:
    return lambda: socket.socket(number, kind)


def by_inherited_datagrams() -> None:
    """A pair of datagram sockets, turned to the address of another program."""
    ours, _theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    ours.sendto(b"x", ASKED["unix_path"])


def by_stream_pair() -> None:
    ours, _theirs = socket.socketpair()
    ours.sendto(b"x", ASKED["unix_path"])


def connect_pair(address: object) -> None:
    ours, _theirs = socket.socketpair()
    ours.connect(address)


def empty_by_reading() -> None:
    os.close(os.open(OUTSIDE / "readable" / "file", os.O_RDONLY | os.O_TRUNC))


def through_a_link() -> str:
    link = INSIDE / "link"
    link.symlink_to(OUTSIDE / "secret")
    return link.read_text()


def through_a_hard_link() -> str:
    os.link(OUTSIDE / "secret", INSIDE / "hard")
    return (INSIDE / "hard").read_text()


def by_descriptor_of_a_folder() -> None:
    descriptor = os.open(OUTSIDE / "readable", os.O_RDONLY)
    os.open("../secret", os.O_RDONLY, dir_fd=descriptor)


def fork() -> None:
    if os.fork() == 0:
        os._exit(0)


def clone(flags: int) -> None:
    raw(56, 220, flags, 0, 0, 0, 0)


def signal_by_descriptor() -> None:
    """Whoever owns the signals of a pipe gets one when something is written."""
    import fcntl

    reader, _writer = os.pipe()
    fcntl.fcntl(reader, fcntl.F_SETOWN, PARENT)


def eat() -> None:
    hoard = []
    while True:
        hoard.append(bytearray(1 << 24))


def eat_in_shared_memory() -> None:
    mmap.mmap(-1, 1 << 30)


def fill_the_disk() -> None:
    with (INSIDE / "large").open("wb") as file:
        file.truncate(1 << 30)


def raise_limit() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def limit_the_parent() -> None:
    resource.prlimit(PARENT, resource.RLIMIT_NOFILE, (0, 0))


def outlive_the_worker() -> None:
    if LIBC.prctl(1, 0):
        raise OSError(ctypes.get_errno(), "")


def be_root_again() -> None:
    os.chroot("/tmp")


def inherited() -> None:
    for path in Path("/proc/self/fd").iterdir():
        os.pread(int(path.name), 1, 0)


def secret_of_the_environment() -> str:
    if "HILUM_SECRET" in os.environ:
        return os.environ["HILUM_SECRET"]
    raise KeyError


TRIES: dict[str, Callable[[], object]] = {
    "a TCP socket": family(socket.AF_INET),
    "a UDP socket": family(socket.AF_INET, socket.SOCK_DGRAM),
    "a TCP socket of IPv6": family(socket.AF_INET6),
    "a Unix socket": family(socket.AF_UNIX),
    "a netlink socket": family(socket.AF_NETLINK, socket.SOCK_RAW),
    "a packet socket": family(socket.AF_PACKET, socket.SOCK_RAW),
    "a vsock": family(socket.AF_VSOCK),
    "a crypto socket": family(socket.AF_ALG, socket.SOCK_SEQPACKET),
    "a database on this machine": lambda: socket.create_connection(ASKED["tcp"]),
    "a pair of datagrams": by_inherited_datagrams,
    "an address on a pair": by_stream_pair,
    "a path by a pair": lambda: connect_pair(ASKED["unix_path"]),
    "an abstract name by a pair": lambda: connect_pair("\0" + ASKED["unix_name"]),
    "io_uring": lambda: raw(425, 425, 1, bytes(256)),
    "another study": lambda: (DATA / "incoming" / "study" / "image.dcm").read_bytes(),
    "the records": lambda: (DATA / "hilum.db").read_bytes(),
    "writing to the records": lambda: (DATA / "hilum.db").open("r+b"),
    "the names of the studies": lambda: list((DATA / "incoming").iterdir()),
    "a file outside": lambda: (OUTSIDE / "secret").read_text(),
    "a file through a link": through_a_link,
    "a file through a hard link": through_a_hard_link,
    "a file through a folder": by_descriptor_of_a_folder,
    "a file through openat2": lambda: raw(437, 437, -100, b"/etc/passwd\0", bytes(24), 24),
    "the environment of the worker": lambda: Path(f"/proc/{PARENT}/environ").read_bytes(),
    "the memory of the worker": lambda: Path(f"/proc/{PARENT}/mem").read_bytes(),
    "the list of processes": lambda: list(Path("/proc").iterdir()),
    "a new file outside": lambda: (OUTSIDE / "new").touch(),
    "removing a file": lambda: (OUTSIDE / "secret").unlink(),
    "renaming a file": lambda: (OUTSIDE / "secret").rename(OUTSIDE / "moved"),
    "writing where it may read": lambda: (OUTSIDE / "readable" / "file").write_text("x"),
    "emptying by reading": empty_by_reading,
    "truncating": lambda: os.truncate(OUTSIDE / "secret", 0),
    "chmod": lambda: (OUTSIDE / "secret").chmod(0o777),
    "chown": lambda: os.chown(OUTSIDE / "secret", os.getuid(), os.getgid()),
    "utime": lambda: os.utime(OUTSIDE / "secret", (0, 0)),
    "setxattr": lambda: os.setxattr(OUTSIDE / "secret", "user.x", b"x"),
    "a device": lambda: os.mknod(INSIDE / "device", 0o600 | 0o020000, os.makedev(1, 1)),
    "a pipe on the disk": lambda: os.mkfifo(INSIDE / "fifo"),
    "watching a folder": lambda: raw(254, 27, 0, str(DATA).encode(), 0xFFF),
    "fork": fork,
    "a program": lambda: os.posix_spawn("/bin/true", ["true"], {}),
    "clone": lambda: clone(signal.SIGCHLD),
    "clone into a user namespace": lambda: clone(0x10000000 | signal.SIGCHLD),
    "clone3": lambda: raw(435, 435, bytes(88), 88),
    "a user namespace": lambda: raw(272, 97, 0x10000000),
    "a signal to the worker": lambda: os.kill(PARENT, signal.SIGCONT),
    "a signal to everybody": lambda: os.kill(-1, signal.SIGCONT),
    "a signal to the group": lambda: os.kill(0, signal.SIGCONT),
    "a signal by a pipe": signal_by_descriptor,
    "a handle on the worker": lambda: os.pidfd_open(PARENT),
    "ptrace": lambda: raw(101, 117, 16, PARENT, 0, 0),
    "reading the worker's memory": lambda: raw(310, 270, PARENT, 0, 0, 0, 0, 0),
    "the worker's limits": limit_the_parent,
    "a keyring": lambda: raw(250, 219, 0, -3, 0),
    "a namespace of mounts": lambda: raw(272, 97, 0x00020000),
    "shared memory of System V": lambda: raw(29, 194, 0, 4096, 0o1600),
    "shared memory of System V by its number": lambda: raw(31, 195, 0, 14, bytes(256)),
    "semaphores of System V by their number": lambda: raw(66, 191, 0, 0, 19, bytes(256)),
    "a queue of System V by its number": lambda: raw(71, 187, 0, 12, bytes(256)),
    "a message of System V": lambda: raw(69, 189, 0, bytes(16), 1, 0o4000),
    "the log of the kernel": lambda: raw(103, 116, 3, bytes(4096), 4096),
    "a file of memory": lambda: os.memfd_create("x"),
    "a program of BPF": lambda: raw(321, 280, 0, bytes(72), 72),
    "chroot": be_root_again,
    "more memory than is allowed": eat,
    "shared memory": eat_in_shared_memory,
    "more on the disk than is allowed": fill_the_disk,
    "a higher limit": raise_limit,
    "outliving the worker": outlive_the_worker,
    "what the worker has open": inherited,
    "a secret of the environment": secret_of_the_environment,
}


def thread_works() -> None:
    done: list[int] = []
    thread = threading.Thread(target=lambda: done.append(1))
    thread.start()
    thread.join()
    assert done


def asyncio_works() -> None:
    import asyncio

    asyncio.run(asyncio.sleep(0))


def scratch_works() -> None:
    import shutil
    import tempfile

    with tempfile.TemporaryDirectory(dir=INSIDE) as name:
        file = Path(name) / "a"
        file.write_text("text")
        file.rename(Path(name) / "b")
        shutil.copyfile(Path(name) / "b", file)
        assert file.read_text() == "text"


def random_bytes() -> None:
    with Path("/dev/urandom").open("rb") as file:
        assert file.read(1)


def callbacks_work() -> None:
    assert ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(lambda x: x + 1)(1) == 2


# What a module needs and walls must leave it.
NEEDS: dict[str, Callable[[], object]] = {
    "a thread": thread_works,
    "asyncio": asyncio_works,
    "temporary files": scratch_works,
    "callbacks of C": callbacks_work,
    "what it may read": lambda: (OUTSIDE / "readable" / "file").read_text(),
    "Python": lambda: __import__("decimal"),
    "random numbers": random_bytes,
    "the number of processors": lambda: Path("/proc/cpuinfo").read_text(),
    "signalling itself": lambda: os.kill(os.getpid(), 0),
}


def ended(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except Exception as error:  # noqa: BLE001 - whatever stops it
        deed = deed_of(error)
        return deed.name if deed else type(error).__name__
    return "got out"


def main() -> None:
    read = [Path(path) for path in ASKED["read"]]
    reach = Reach(INSIDE, tuple(read), memory_mb=512, **ASKED.get("allowed", {}))
    limits.close_all_but({0, 1, 2})
    limits.forget_environment({})
    missing = reach.confine(ASKED["abi"])
    needs = {name: ended(attempt) for name, attempt in NEEDS.items()}
    tries = {name: ended(attempt) for name, attempt in TRIES.items()}
    found = {"missing": [wall.name for wall in missing], "tries": tries, "needs": needs}
    sys.stdout.write(json.dumps(found))


main()
