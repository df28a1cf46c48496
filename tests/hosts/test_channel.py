"""What is said between a worker and a module's process, on a real socket."""

import errno
import os
import pickle
import socket
from pathlib import Path

import pytest

from factory import mr_slices, write
from hilum.dicom.instance import Instance
from hilum.dicom.parts import Part
from hilum.errors import MachineError, ModuleError
from hilum.hosts.channel import (
    LONGEST,
    Ended,
    ModuleAnswer,
    Order,
    asked,
    give,
    heard,
    let_go,
    pair,
    send,
)


@pytest.fixture
def pipe():
    ours, theirs = pair()
    with ours, theirs:
        yield ours, theirs


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


Pipe = tuple[socket.socket, socket.socket]


def given(pipe: Pipe, inputs: dict[str, list[Part]]) -> dict[str, list[Part]]:
    ours, theirs = pipe
    give(ours, inputs)
    send(ours, Order(number=1, weights_sha256="0" * 64))
    run, files, lost = asked(theirs)
    assert (run.number, lost) == (1, 0)
    return files


def test_the_files_of_a_study_arrive_open(pipe: Pipe, tmp_path: Path) -> None:
    paths = write(mr_slices("x", count=3), tmp_path)
    parts = [Part(paths[0]), Part(paths[1], (1,)), Part(paths[2])]
    files = given(pipe, {"t1": parts[:2], "flair": parts[2:]})
    for path in paths:
        path.unlink()  # what is open does not need its name any more
    assert {name: [p.frames for p in some] for name, some in files.items()} == {
        "t1": [None, (1,)],
        "flair": [None],
    }
    images = [Instance.read(part.path) for some in files.values() for part in some]
    assert [image.path.name for image in images] == [path.name for path in paths]
    whole = images[0].dataset()
    assert whole.SOPInstanceUID == images[0].sop_instance_uid
    assert len(whole.PixelData) > 0
    with images[0].path.open("rb") as one, images[0].path.open("rb") as other:
        assert one.read(4) == other.read(4)  # each reads from its beginning
        assert one.seek(-4, os.SEEK_END) == other.seek(0, os.SEEK_END) - 4
    with pytest.raises(PermissionError):
        images[0].path.open("r+b")
    before = open_files()
    let_go(files)
    assert open_files() == before - 3


def test_a_study_of_many_files_arrives_in_order(pipe: Pipe, tmp_path: Path) -> None:
    parts = []
    for number in range(250):
        path = tmp_path / f"{number}.dcm"
        path.write_bytes(str(number).encode())
        parts.append(Part(path, tuple(range(1, 400)) if number == 7 else None))
    files = given(pipe, {"series": parts})["series"]
    contents = []
    for part in files:
        with part.path.open("rb") as file:
            contents.append(int(file.read()))
    assert contents == list(range(250))
    assert files[7].frames == tuple(range(1, 400))
    let_go({"series": files})


def test_a_file_that_is_gone_is_the_machine_s(pipe: Pipe, tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=f"cannot be opened: {os.strerror(errno.ENOENT)}"):
        give(pipe[0], {"series": [Part(tmp_path / "gone")]})


def test_an_answer_comes_back(pipe: Pipe) -> None:
    answer = ModuleAnswer(number=3, ended=Ended.FAILED, text="the module raised", length=5)
    send(pipe[1], answer)
    assert heard(pipe[0]) == answer


CRAFTED = {
    "a pickle": pickle.dumps(ModuleAnswer(number=1, ended=Ended.WELL)),
    "no JSON": b"{",
    "a list": b"[]",
    "something more": b'{"number": 1, "ended": "well", "path": "/etc"}',
    "an unknown end": b'{"number": 1, "ended": "splendid"}',
    "a negative number": b'{"number": -1, "ended": "well"}',
    "a long text": b'{"number": 1, "ended": "well", "text": "%b"}' % (b"x" * 501),
    "a long message": b'{"number": 1, "ended": "well", "text": "%b"}' % (b"x" * (LONGEST + 1)),
}


@pytest.mark.parametrize("packet", CRAFTED.values(), ids=CRAFTED.keys())
def test_what_is_no_answer_is_the_module_s_failure(pipe: Pipe, packet: bytes) -> None:
    pipe[1].send(packet)
    with pytest.raises(ModuleError, match="gave something that is no answer"):
        heard(pipe[0])


def test_files_that_come_with_an_answer_are_not_taken(pipe: Pipe) -> None:
    before = open_files()
    send(pipe[1], ModuleAnswer(number=0, ended=Ended.WELL), [0, 1, 2])
    assert heard(pipe[0]).number == 0
    assert open_files() == before


def test_whoever_is_gone_says_nothing(pipe: Pipe) -> None:
    ours, theirs = pipe
    theirs.close()
    with pytest.raises(EOFError):
        heard(ours)
    with pytest.raises(OSError):
        send(ours, Order(number=1, weights_sha256=""))
