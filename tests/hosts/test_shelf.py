"""What a module's process leaves is judged, whatever wrote it."""

import json
import mmap
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hilum.errors import ModuleError
from hilum.hosts.shelf import Letter, Shelf, put, shelf_bytes

SIZE = 1 << 20


@pytest.fixture
def shelf():
    made = Shelf(SIZE)
    yield made
    made.close()


def leave(shelf: Shelf, content: bytes) -> int:
    os.pwrite(shelf.descriptor, content, 0)
    return len(content)


def document(**other: Any) -> bytes:
    whole: dict[str, Any] = {"items": [], "arrays": [], "pictures": [], "traceback": ""}
    return json.dumps(whole | other).encode()


def listed(name: str = "0.mask", kind: str = "|u1", shape: object = (3,)) -> dict[str, object]:
    return {"name": name, "type": kind, "shape": shape}


def test_a_letter_comes_back(shelf: Shelf) -> None:
    arrays = {
        "0.box": np.arange(9).reshape(3, 3),
        "0.region": np.eye(3, dtype=bool)[::-1],
        "1.values": np.linspace(0, 1, 12, dtype=np.float32).reshape(4, 3).T,
        "2.mask": np.zeros(0, np.uint8),
    }
    pictures = {"1.2.3": np.full((5, 7), 9, np.uint8)}
    letter = Letter([{"kind": "Note", "text": "ä"}], arrays, pictures, "Traceback")
    with mmap.mmap(shelf.descriptor, 0) as memory:
        length = put(letter, memoryview(memory))
        back = shelf.take(length)
        memory[:] = b"\xff" * SIZE  # what comes later changes nothing of what was taken
    assert back.items == letter.items
    assert back.traceback == "Traceback"
    for name, array in (arrays | pictures).items():
        taken = (back.arrays | back.pictures)[name]
        assert taken.dtype == array.dtype
        assert np.array_equal(taken, array)


class Evil:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


CRAFTED = {
    "nothing": b"",
    "no JSON": b"\x80\x04.",
    "no object": b"[]",
    "no text": b'{"items": "\xff"}',
    "deep": b'{"items": ' + b"[" * 90_000,
    "a number of many digits": document(traceback="").replace(b'""', b"9" * 90_000),
    "something more": document(path="/etc/passwd"),
    "something less": b'{"items": []}',
    "an item that is a list": document(items=[[]]),
    "a pickle": document(arrays=[listed(kind="|O")]),
    "an unknown type": document(arrays=[listed(kind="<c16")]),
    "a negative shape": document(arrays=[listed(shape=[-1])]),
    "a broken shape": document(arrays=[listed(shape=["3"])]),
    "a shape of many axes": document(arrays=[listed(shape=[1] * 5)]),
    "more than there is": document(arrays=[listed(shape=[SIZE])]),
    "a product beyond 64 bit": document(arrays=[listed(shape=[1 << 31] * 4)]),
    "a little more than there is": document(pictures=[listed(shape=[SIZE // 2])] * 2),
    "many arrays": document(arrays=[listed(shape=[0])] * 10_001),
    "a long traceback": document(traceback="x" * 100_001),
}


@pytest.mark.parametrize("content", CRAFTED.values(), ids=CRAFTED.keys())
def test_what_is_no_letter_is_the_module_s_failure(shelf: Shelf, content: bytes) -> None:
    with pytest.raises(ModuleError, match=r"^what the module's process left cannot be read: "):
        shelf.take(leave(shelf, content))


def test_a_length_beyond_the_shelf_is_none(shelf: Shelf) -> None:
    for length in (0, -1, SIZE + 1, 1 << 62):
        with pytest.raises(ModuleError, match="its text has"):
            shelf.take(length)


def test_nothing_of_it_is_unpickled(shelf: Shelf, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    evil = pickle.dumps(Evil(mark))
    text = document(arrays=[listed(shape=[len(evil)])])
    place = -(-len(text) // 64) * 64
    os.pwrite(shelf.descriptor, evil, place)
    assert bytes(shelf.take(leave(shelf, text)).arrays["0.mask"]) == evil
    assert not mark.exists()
    pickle.loads(evil)
    assert mark.exists()  # it would have acted


def test_a_boolean_is_true_or_false(shelf: Shelf) -> None:
    text = document(arrays=[listed(kind="|b1")])
    place = -(-len(text) // 64) * 64
    os.pwrite(shelf.descriptor, bytes([0, 1, 255]), place)
    region = shelf.take(leave(shelf, text)).arrays["0.mask"]
    assert region.dtype == np.bool_
    assert region.view(np.uint8).tolist() == [0, 1, 1]


def test_nobody_changes_the_size_under_a_reader(shelf: Shelf) -> None:
    for size in (0, SIZE // 2, 2 * SIZE):
        with pytest.raises(PermissionError):
            os.ftruncate(shelf.descriptor, size)
    assert os.fstat(shelf.descriptor).st_size == SIZE


def test_the_memory_is_given_back(shelf: Shelf) -> None:
    leave(shelf, b"x" * SIZE)
    assert os.fstat(shelf.descriptor).st_blocks
    shelf.clear()
    assert os.fstat(shelf.descriptor).st_blocks == 0
    assert os.fstat(shelf.descriptor).st_size == SIZE


def test_findings_that_do_not_fit_are_refused_in_words() -> None:
    arrays = {"0.values": np.zeros((1024, 1024), np.float32)}
    with pytest.raises(ModuleError, match="its findings take 4 MiB; there is room for 1 MiB"):
        put(Letter(arrays=arrays), memoryview(bytearray(SIZE)))
    assert shelf_bytes(256) == 64 << 20
    assert shelf_bytes(1 << 20) == 1 << 30
