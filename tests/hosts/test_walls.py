"""The walls around a module: each escape is tried, and each ends as the table says.

`escapes.py` tries them all in one process, with the Landlock of this machine and of older ones.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import hilum
from hilum.hosts.walls import Wall, calls, files, standing
from hilum.hosts.walls.deeds import Deed, deed_of, named
from hilum.hosts.walls.kernel import MACHINES
from tests.patience import PATIENCE

ESCAPES = Path(__file__).parent / "escapes.py"
GOT_OUT = "got out"
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
# How each try ends: a `Deed` by its name, or the error that the limit gives.
ENDS = {
    Deed.NETWORK.name: (
        "a TCP socket",
        "a UDP socket",
        "a TCP socket of IPv6",
        "a Unix socket",
        "a netlink socket",
        "a packet socket",
        "a vsock",
        "a crypto socket",
        "a database on this machine",
        "a pair of datagrams",
        "an address on a pair",
        "a path by a pair",
        "an abstract name by a pair",
    ),
    Deed.FILE.name: (
        "another study",
        "the records",
        "writing to the records",
        "the names of the studies",
        "a file outside",
        "a file through a link",
        "a file through a hard link",
        "a file through a folder",
        "the environment of the worker",
        "the memory of the worker",
        "the list of processes",
        "a new file outside",
        "removing a file",
        "renaming a file",
        "writing where it may read",
        "a device",
        "a pipe on the disk",
        "what the worker has open",
    ),
    Deed.RIGHTS.name: (
        "emptying by reading",
        "truncating",
        "chmod",
        "chown",
        "utime",
        "setxattr",
        "chroot",
    ),
    Deed.PROCESS.name: ("fork", "a program", "clone", "clone into a user namespace"),
    Deed.OTHERS.name: (
        "a signal to the worker",
        "a signal to everybody",
        "a signal to the group",
        "a signal by a pipe",
        "a handle on the worker",
        "ptrace",
        "reading the worker's memory",
        "the worker's limits",
    ),
    Deed.KERNEL.name: (
        "io_uring",
        "a file through openat2",
        "watching a folder",
        "clone3",
        "a user namespace",
        "a keyring",
        "a namespace of mounts",
        "shared memory of System V",
        "shared memory of System V by its number",
        "semaphores of System V by their number",
        "a queue of System V by its number",
        "a message of System V",
        "the log of the kernel",
        "a file of memory",
        "a program of BPF",
        "shared memory",
        "outliving the worker",
    ),
    "MemoryError": ("more memory than is allowed",),
    "OSError": ("more on the disk than is allowed",),
    "ValueError": ("a higher limit",),
    "KeyError": ("a secret of the environment",),
}
EXPECTED = {attempt: end for end, attempts in ENDS.items() for attempt in attempts}
# Where the machine has no Landlock, nothing but the rights of the user stands around files.
OPEN_WITHOUT_LANDLOCK = {*ENDS[Deed.FILE.name]} - {
    "the environment of the worker",
    "the memory of the worker",
}


@pytest.fixture
def place() -> Iterator[dict[str, Any]]:
    """Folders inside and outside of the walls, and three programs that listen."""
    with TemporaryDirectory() as name:  # that of pytest is closed to other users
        yield from _place(Path(name))


def _place(home: Path) -> Iterator[dict[str, Any]]:
    inside, outside, data = (home / name for name in ("inside", "outside", "data"))
    for folder in (inside, outside / "readable", data / "incoming" / "study"):
        folder.mkdir(parents=True)
    for file in (outside / "secret", outside / "readable" / "file", data / "hilum.db"):
        file.write_text("secret")
    (data / "incoming" / "study" / "image.dcm").write_text("secret")
    for path in (home, *home.rglob("*")):  # the rights of the user stop nothing here
        path.chmod(0o777 if path.is_dir() else 0o666)
    name = f"hilum-test-{os.getpid()}"
    with (
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as by_path,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as by_name,
    ):
        by_path.bind(str(outside / "s"))
        by_name.bind(f"\0{name}")
        (outside / "s").chmod(0o777)
        yield {
            "abi": files.NEWEST_ABI,
            "inside": str(inside),
            "outside": str(outside),
            "data": str(data),
            "read": [str(outside / "readable"), *_of_python()],
            "tcp": tcp.getsockname(),
            "unix_path": str(outside / "s"),
            "unix_name": name,
        }


def _of_python() -> list[str]:
    paths = sysconfig.get_paths()
    return [paths["stdlib"], paths["platlib"], str(Path(hilum.__file__).parent.parent)]


def tried(place: dict[str, Any], *by: str) -> dict[str, Any]:
    source = str(Path(hilum.__file__).parent.parent)
    run = subprocess.run(
        [*by, sys.executable, str(ESCAPES), json.dumps(place)],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={"HILUM_SECRET": "secret", "PATH": os.environ["PATH"], "PYTHONPATH": source},
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def readable_by_all(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in path.parents)


@pytest.mark.parametrize("abi", [files.NEWEST_ABI, 4, 2, 1])
def test_every_escape_is_stopped_and_named(place: dict[str, Any], abi: int) -> None:
    if files.abi() < min(abi, 1):
        pytest.skip("this machine has no Landlock")
    found = tried(place | {"abi": abi})
    assert found["missing"] == []
    assert found["tries"] == EXPECTED
    assert set(found["needs"].values()) == {GOT_OUT}


def test_without_landlock_that_wall_alone_is_missing_and_said(place: dict[str, Any]) -> None:
    found = tried(place | {"abi": 0})
    assert found["missing"] == [Wall.FILES.name]
    others = {attempt for attempt in EXPECTED if attempt not in OPEN_WITHOUT_LANDLOCK}
    assert {a: found["tries"][a] for a in others} == {a: EXPECTED[a] for a in others}
    assert GOT_OUT in found["tries"].values()


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"), reason="needs root")
def test_an_ordinary_user_has_the_same_walls(place: dict[str, Any]) -> None:
    if not readable_by_all(ESCAPES) or not readable_by_all(Path(os.__file__)):
        pytest.skip("nobody else may read this checkout, or its Python")
    found = tried(place, *NOBODY)
    assert found["missing"] == []
    assert found["tries"] == EXPECTED
    assert set(found["needs"].values()) == {GOT_OUT}


def test_what_is_allowed_works(place: dict[str, Any]) -> None:
    found = tried(place | {"allowed": {"network": True, "processes": True}})
    got_out = {attempt for attempt, end in found["tries"].items() if end == GOT_OUT}
    assert got_out == {
        "a TCP socket",
        "a UDP socket",
        "a TCP socket of IPv6",
        "a database on this machine",
        "fork",
        "a program",
        "clone",
        "a signal to everybody",  # whom Landlock makes out of its own processes
        "a signal to the group",
    }
    assert found["tries"]["a signal to the worker"] != GOT_OUT


def test_this_machine_has_every_wall() -> None:
    assert standing() == (), "the tests of walls mean nothing on a machine without them"


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES.keys())
@pytest.mark.parametrize("allowed", [False, True])
def test_the_filter_says_the_same_of_each_call_on_every_machine(machine, allowed: bool) -> None:
    """The program is run here by a few lines of Python, for both processors."""
    rules = list(calls.rules(calls.Allowed(*[allowed] * 4), allowed, pid=77))
    program = calls.program(iter(rules), machine)
    assert len(program) < 4096
    for rule in rules:
        number = calls.NUMBERS[rule.call][machine.column]
        if number >= 0 and not rule.unless and rule.only is None:
            assert verdict(program, machine.audit, number) == ("error", rule.deed.number)
    kill = calls.NUMBERS["tgkill"][machine.column]
    if not allowed:
        assert verdict(program, machine.audit, kill, 77) == ("allow", 0)
        assert verdict(program, machine.audit, kill, 78) == ("error", Deed.OTHERS.number)
    clone = calls.NUMBERS["clone"][machine.column]
    assert verdict(program, machine.audit, clone, 0x10000) == ("allow", 0)  # a thread
    assert verdict(program, machine.audit, clone, 0x10000000)[0] == "error"  # a namespace
    read = 0 if machine.column == 0 else 63
    assert verdict(program, machine.audit, read) == ("allow", 0)
    assert verdict(program, machine.audit, calls.LAST_KNOWN + 1)[0] == "error"
    assert verdict(program, machine.audit, 0x40000000 + read)[0] == "error"  # x32
    assert verdict(program, 0x40000003, read) == ("kill", 0)  # a call of 32 bit


def verdict(program, audit: int, number: int, *arguments: int) -> tuple[str, int]:
    """What the kernel would answer: the few instructions that the filter has."""
    words = {0: number, 4: audit}
    for place, value in enumerate((*arguments, 0, 0, 0, 0, 0, 0)[:6]):
        words |= {16 + 8 * place: value & 0xFFFFFFFF, 20 + 8 * place: value >> 32}
    at = held = 0
    while True:
        code, if_true, if_false, value = program[at]
        at += 1
        match code:
            case 0x20:
                held = words[value]
            case 0x54:
                held &= value
            case 0x15:
                at += if_true if held == value else if_false
            case 0x25:
                at += if_true if held > value else if_false
            case 0x06:
                action = {0x7FFF0000: "allow", 0x50000: "error", 0x80000000: "kill"}
                return action[value & 0xFFFF0000], value & 0xFFFF


def test_an_escape_is_named_however_deep_its_error_lies() -> None:
    try:
        try:
            raise OSError(Deed.NETWORK.number, "Network is down")
        except OSError as error:
            raise RuntimeError("the licence server does not answer") from error
    except RuntimeError as error:
        deed = deed_of(error)
    assert deed is Deed.NETWORK
    text = named(deed, "RuntimeError in m.py, line 3")
    assert text.startswith("the module tried to open a network connection, which its walls forbid")
    assert "RuntimeError in m.py, line 3" in text
    assert deed_of(ValueError("x")) is None
    assert len({deed.number for deed in Deed}) == len(Deed)


REMEMBERED = """
import os, sys
from hilum.hosts.walls import limits
if sys.argv[1] == "forget":
    limits.forget_environment({"HOME": "/"})
secret = bytes(byte ^ 1 for byte in b"ohfiudo`") * 4  # this text is not the one looked for
count = 0
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", buffering=0) as memory:
    for line in maps.readlines():
        if " rw-p " in line:
            first, last = (int(part, 16) for part in line.split()[0].split("-"))
            memory.seek(first)
            count += memory.read(last - first).count(b"=" + secret)
print(count, dict(os.environ), os.getenv("HOME"))
"""


@pytest.mark.parametrize(("act", "count"), [("keep", range(1, 99)), ("forget", range(1))])
def test_the_environment_is_overwritten_in_memory(act: str, count: range) -> None:
    """It lies where the process was started with it, too."""
    secret = "".join(chr(ord(letter) ^ 1) for letter in "ohfiudo`") * 4
    source = str(Path(hilum.__file__).parent.parent)
    run = subprocess.run(
        [sys.executable, "-c", REMEMBERED, act],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={"HILUM_SECRET": secret, "PYTHONPATH": source, "HOME": "/root"},
    )
    found, environment = run.stdout.split(" ", 1)
    assert int(found) in count, run.stderr
    assert (environment == "{'HOME': '/'} /\n") == (act == "forget")
