"""The wall of system calls: a filter that the kernel asks before each call (seccomp).

Our own, because the libraries on PyPI are either bound to a libseccomp that is not there, or a few
months old. What a module is denied stands in `DENIED`; of the rest it may use everything that the
kernel knew when this was written.
"""

import ctypes
import errno
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from hilum.hosts.walls.deeds import Deed
from hilum.hosts.walls.kernel import PR_SET_NO_NEW_PRIVS, Machine, prctl, syscall

# Numbers on x86_64 and aarch64 (asm/unistd_64.h, asm-generic/unistd.h); -1: there is none.
NUMBERS = {
    # the network
    "socket": (41, 198),
    "connect": (42, 203),
    "accept": (43, 202),
    "sendto": (44, 206),
    "bind": (49, 200),
    "listen": (50, 201),
    "socketpair": (53, 199),
    "accept4": (288, 242),
    # processes
    "clone": (56, 220),
    "fork": (57, -1),
    "vfork": (58, -1),
    "execve": (59, 221),
    "execveat": (322, 281),
    "clone3": (435, 435),
    # other processes
    "kill": (62, 129),
    "ptrace": (101, 117),
    "rt_sigqueueinfo": (129, 138),
    "setpriority": (141, 140),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "rt_tgsigqueueinfo": (297, 240),
    "prlimit64": (302, 261),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "kcmp": (312, 272),
    "pidfd_send_signal": (424, 424),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    # owner, rights, times and length of files
    "truncate": (76, 45),
    "chmod": (90, -1),
    "fchmod": (91, 52),
    "chown": (92, -1),
    "fchown": (93, 55),
    "lchown": (94, -1),
    "utime": (132, -1),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "utimes": (235, -1),
    "fchownat": (260, 54),
    "futimesat": (261, -1),
    "fchmodat": (268, 53),
    "utimensat": (280, 88),
    "fchmodat2": (452, 452),
    # services of the kernel that no analysis needs, and that others have escaped by
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semctl": (66, 191),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "syslog": (103, 116),
    "setpgid": (109, 154),
    "setsid": (112, 157),
    "personality": (135, 92),
    "pivot_root": (155, 41),
    "mount": (165, 40),
    "umount2": (166, 39),
    "semtimedop": (220, 192),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "inotify_add_watch": (254, 27),
    "unshare": (272, 97),
    "perf_event_open": (298, 241),
    "fanotify_init": (300, 262),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "setns": (308, 268),
    "memfd_create": (319, 279),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "openat2": (437, 437),  # its flags lie in memory, where no filter sees them
    "mount_setattr": (442, 442),
    "memfd_secret": (447, 447),
    # allowed, but not with every argument
    "open": (2, -1),
    "mmap": (9, 222),
    "ioctl": (16, 29),
    "fcntl": (72, 25),
    "prctl": (157, 167),
    "openat": (257, 56),
}
LAST_KNOWN = 462  # mseal; what is newer is not there for a module

_SECCOMP = {0: 317, 1: 277}  # by column
_SET_FILTER, _TSYNC = 1, 1
_ALLOW, _ERRNO, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_LOAD, _JUMP_EQUAL, _JUMP_GREATER, _AND, _RETURN = 0x20, 0x15, 0x25, 0x54, 0x06
_THREAD, _NAMESPACES = 0x00010000, 0x7E020080  # flags of clone
_STREAM, _DATAGRAM, _PACKETS, _TYPE = 1, 2, 5, 0xF
_UNIX, _INET, _INET6 = 1, 2, 10
_READING, _EMPTYING = 0x3, 0o1000  # of open: the access mode, O_TRUNC
_SHARED_ANONYMOUS = 0x21  # of mmap


class Instruction(NamedTuple):
    """One of the filter's machine (linux/filter.h)."""

    code: int
    if_true: int
    if_false: int
    value: int


class ArgumentTest(NamedTuple):
    """Whether argument `number`, of which only the bits in `mask` count, is one of `values`."""

    number: int
    values: tuple[int, ...]
    mask: int = 0xFFFFFFFF
    high: bool = False  # the upper half of the argument


class Denial(NamedTuple):
    """A call meets `deed`'s error unless it passes each of `unless` (none: always)."""

    call: str
    deed: Deed
    unless: tuple[ArgumentTest, ...] = ()
    only: ArgumentTest | None = None  # where given, only a call that passes it is denied


class Allowed(NamedTuple):
    """What a module may; `becoming` is to turn into the one program that Landlock leaves it."""

    network: bool = False
    processes: bool = False
    gpu: bool = False
    becoming: bool = False


def rules(allowed: Allowed, scoped: bool, pid: int) -> Iterator[Denial]:
    """What is denied.

    `scoped`: Landlock keeps signals inside. `pid` is that of this process, which may signal itself.
    """
    yield from _network(allowed.network)
    yield from _processes(allowed.processes, allowed.becoming)
    yield from _others(pid, allowed.processes and scoped)
    for call in _between("truncate", "fchmodat2"):
        yield Denial(call, Deed.RIGHTS)
    for call in _between("shmget", "memfd_secret"):
        if not (allowed.gpu and call == "memfd_create"):  # the drivers of NVIDIA share memory by it
            yield Denial(call, Deed.KERNEL)
    # Landlock below 3 lets a file be emptied by who may only read it.
    emptied = (_EMPTYING,)
    yield Denial("open", Deed.RIGHTS, only=ArgumentTest(1, emptied, _READING | _EMPTYING))
    yield Denial("openat", Deed.RIGHTS, only=ArgumentTest(2, emptied, _READING | _EMPTYING))
    # No limit counts shared memory.
    yield Denial("mmap", Deed.KERNEL, only=ArgumentTest(3, (_SHARED_ANONYMOUS,), _SHARED_ANONYMOUS))
    # Who gets the signals of a file, typing into a terminal, outliving the worker, being looked at.
    yield Denial("fcntl", Deed.OTHERS, only=ArgumentTest(1, (8, 10, 15)))
    yield Denial("ioctl", Deed.OTHERS, only=ArgumentTest(1, (0x5412, 0x541C, 0x8901, 0x8902)))
    yield Denial("prctl", Deed.KERNEL, only=ArgumentTest(0, (1, 4)))


def _network(allowed: bool) -> Iterator[Denial]:
    # A pair of datagram sockets could be turned to any other address afterwards.
    pair = (ArgumentTest(0, (_UNIX,)), ArgumentTest(1, (_STREAM, _PACKETS), _TYPE))
    yield Denial("socketpair", Deed.NETWORK, pair)
    if allowed:
        kinds = (ArgumentTest(0, (_INET, _INET6)), ArgumentTest(1, (_STREAM, _DATAGRAM), _TYPE))
        yield Denial("socket", Deed.NETWORK, kinds)
    else:
        nowhere = (ArgumentTest(4, (0,)), ArgumentTest(4, (0,), high=True))
        yield Denial("sendto", Deed.NETWORK, nowhere)
        yield Denial("socket", Deed.NETWORK)
        yield Denial("connect", Deed.NETWORK)
        yield Denial("bind", Deed.NETWORK)
    for call in ("accept", "accept4", "listen"):
        yield Denial(call, Deed.NETWORK)


def _processes(allowed: bool, becoming: bool) -> Iterator[Denial]:
    # glibc then takes clone, whose flags can be seen.
    yield Denial("clone3", Deed.KERNEL)
    if allowed:
        yield Denial("clone", Deed.KERNEL, (ArgumentTest(0, (0,), _NAMESPACES),))
        return
    yield Denial("clone", Deed.PROCESS, (ArgumentTest(0, (_THREAD,), _THREAD),))
    for call in ("fork", "vfork", "execve", "execveat"):
        if not (becoming and call == "execve"):
            yield Denial(call, Deed.PROCESS)


def _others(pid: int, signals: bool) -> Iterator[Denial]:
    own = {
        "kill": (pid,),
        "tgkill": (pid,),
        "rt_sigqueueinfo": (pid,),
        "rt_tgsigqueueinfo": (pid,),
        "prlimit64": (0, pid),
    }
    for call in _between("kill", "process_mrelease"):
        if signals and call in ("kill", "tkill", "tgkill"):
            continue
        allowed = own.get(call)
        yield Denial(call, Deed.OTHERS, (ArgumentTest(0, allowed),) if allowed else ())


def _between(first: str, last: str) -> Sequence[str]:
    """The calls of `NUMBERS` from one to another."""
    names = list(NUMBERS)
    return names[names.index(first) : names.index(last) + 1]


def program(denied: Iterator[Denial], machine: Machine) -> list[Instruction]:
    """The filter for `machine`."""
    absent = _answer(errno.ENOSYS)
    made = [
        Instruction(_LOAD, 0, 0, 4),  # the architecture: a 32-bit call has other numbers
        Instruction(_JUMP_EQUAL, 1, 0, machine.audit),
        Instruction(_RETURN, 0, 0, _KILL),
        Instruction(_LOAD, 0, 0, 0),  # the number; those of x32 are beyond all others
        Instruction(_JUMP_GREATER, 0, 1, LAST_KNOWN),
        absent,
    ]
    for rule in denied:
        number = NUMBERS[rule.call][machine.column]
        if number >= 0:
            body = _body(rule)
            made += [Instruction(_JUMP_EQUAL, 0, len(body), number), *body]
    return [*made, Instruction(_RETURN, 0, 0, _ALLOW)]


def _body(rule: Denial) -> list[Instruction]:
    """What is done for one call; each way through it ends with an answer."""
    denied = _answer(rule.deed.number)
    allowed = Instruction(_RETURN, 0, 0, _ALLOW)
    if rule.only:
        return [*_passing(rule.only, allowed), denied]
    made: list[Instruction] = []
    for test in rule.unless:
        made += _passing(test, denied)
    return [*made, allowed if rule.unless else denied]


def _passing(test: ArgumentTest, otherwise: Instruction) -> list[Instruction]:
    """Go on behind the last instruction if the test is passed; else the answer is `otherwise`."""
    count = len(test.values)
    load = Instruction(_LOAD, 0, 0, 16 + 8 * test.number + 4 * test.high)
    jumps = [
        Instruction(_JUMP_EQUAL, count - place, 0, value) for place, value in enumerate(test.values)
    ]
    return [load, Instruction(_AND, 0, 0, test.mask), *jumps, otherwise]


def _answer(number: int) -> Instruction:
    return Instruction(_RETURN, 0, 0, _ERRNO | number)


class _Filter(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("value", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("filter", ctypes.POINTER(_Filter)))


def install(instructions: Sequence[Instruction], machine: Machine) -> None:
    """Set the filter for all threads of this process, for good; raises `OSError`."""
    prctl(PR_SET_NO_NEW_PRIVS, 1)
    filters = (_Filter * len(instructions))(*(_Filter(*each) for each in instructions))
    whole = _Program(len(instructions), filters)
    syscall(_SECCOMP[machine.column], _SET_FILTER, _TSYNC, ctypes.byref(whole))


def is_there(machine: Machine | None) -> bool:
    """Whether the kernel takes filters, and we know its numbers."""
    if machine is None:
        return False
    action = ctypes.c_uint32(_ERRNO)
    try:
        syscall(_SECCOMP[machine.column], 2, 0, ctypes.byref(action))  # GET_ACTION_AVAIL
    except OSError:
        return False
    return True
