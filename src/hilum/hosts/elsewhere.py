"""The process in which a module of another environment runs, as ours sees it.

Ours reads the images; the other gets the voxels in shared memory, and leaves what it found in
another one. It is forked before our walls are raised, raises its own, and becomes the interpreter
of the environment, from which nothing of Hilum can be reached.

    worker -- files --> our process: decodes -- voxels --> the module's own interpreter
    worker <- letter -- judges, adds pictures   <- findings --
"""

import importlib.util
import mmap
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ValidationError

from hilum.dicom.series import Series
from hilum.engine import exchange
from hilum.environments import PACKAGES, Given, InEnvironment
from hilum.errors import ConfigurationError, MissingPartError, ModuleError
from hilum.findings import (
    Angle,
    Box,
    Draft,
    Drawing,
    Finding,
    Findings,
    KeyImage,
    LabelMap,
    Length,
    Measurement,
    Note,
    ParametricMap,
    Plot,
    Point,
    Refusal,
    Segment,
    Table,
    Urgency,
)
from hilum.hosts.channel import LONGEST, Ended, ModuleAnswer, pair, send
from hilum.hosts.shelf import MEBIBYTE, Letter, Shelf, put, shelf_bytes
from hilum.hosts.walls import Reach, limits
from hilum.hosts.walls.deeds import deed_of, named

MOST_BYTES_GIVEN = 64 << 30  # a page is taken from the machine when it is written to
KNOWN_THERE = (  # kinds of findings that are given to a module in an environment
    *(Segment, LabelMap, ParametricMap, Measurement, Note, Refusal),
    *(Point, Box, Length, Angle, Table, Plot, KeyImage, Draft, Urgency, Drawing),
)
THEIRS = "hilum_module"  # the package that speaks for the module


class _Order(BaseModel):
    """The module is to run on what lies in the memory for images; `length` is that of its JSON."""

    number: int
    length: int


class _Answer(ModuleAnswer):
    """As that of any module. `errno` is that of the operating system, 0 if it gave none."""

    errno: int = 0


class ToldElsewhere(ModuleError):  # noqa: N818
    """How a run ended elsewhere: in words, and the traceback of its author."""

    def __init__(self, ended: Ended, text: str, traceback: str) -> None:
        super().__init__(text)
        self.ended = ended
        self.traceback = traceback


@dataclass(frozen=True)
class Interpreter:
    """What the process becomes: `python` with the `packages` of the module that `target` names."""

    python: Path
    packages: Path
    target: str
    reach: Reach
    needs_walls: bool

    def become(self, pipe: int, given: int, found: int, abi: int) -> None:
        """Raise the walls, and be that interpreter, which comes back only if they do not stand."""
        if self.reach.confine(abi) and self.needs_walls:
            return
        begin = str(folder_of_ours() / "begin.py")
        numbers = map(str, (pipe, given, found))
        # alone (-I) and without packages (-S): nothing of the module runs before its walls stand
        words = [str(self.python), "-I", "-S", "-u", begin, str(self.packages), self.target]
        os.execve(self.python, [*words, *numbers], dict(os.environ))


def interpreter_of(module: type[InEnvironment], given: Reach, needs_walls: bool) -> Interpreter:
    """What runs `module`; it reaches what is `given` to it, its own folder and its interpreter.

    Raises `ConfigurationError` where the interpreter is gone; the text says the cure.
    """
    card, folder = module.environment, module.folder.resolve()
    return in_environment(card.python, folder, card.target, given, needs_walls)


def in_environment(
    python: Path, folder: Path, target: str, given: Reach, needs_walls: bool
) -> Interpreter:
    """What runs `target` with the packages in `folder`; as `interpreter_of`."""
    if not os.access(python, os.X_OK):
        raise ConfigurationError(
            f"the interpreter {python} is not there any more: install it again, or the module anew"
            " with `hilum modules add --replace`"
        )
    read = (folder, folder_of_ours(), python, python.parent.parent / "lib")
    reach = replace(given, read=read, becomes=python)
    return Interpreter(python, folder / PACKAGES, target, reach, needs_walls)


def folder_of_ours() -> Path:
    """Where the package lies that speaks for the module there."""
    spec = importlib.util.find_spec(THEIRS)
    if spec is None or spec.origin is None:
        raise MissingPartError(f"{THEIRS} is not installed: install Hilum anew")
    return Path(spec.origin).resolve().parent


class Elsewhere:
    """The other process, from its start to its end."""

    def __init__(self, interpreter: Interpreter, memory_mb: int, abi: int) -> None:
        """Start it; to be called before our own walls are raised."""
        self._runs = 0
        self._memory_mb = memory_mb
        self._given = Shelf(min(memory_mb * MEBIBYTE // 2, MOST_BYTES_GIVEN))
        self._found = Shelf(shelf_bytes(memory_mb))
        self._pipe, theirs = pair()
        descriptors = (theirs.fileno(), self._given.descriptor, self._found.descriptor)
        self._pid = os.fork()
        if not self._pid:
            _be(interpreter, descriptors, abi)
        theirs.close()
        self._images = mmap.mmap(self._given.descriptor, 0)

    def loaded(self) -> Mapping[str, Any]:
        """What the module says of itself once it is loaded; raises `ToldElsewhere`."""
        letter = self._letter(0)
        return next(iter(letter.items), {})

    def ask(
        self, inputs: Mapping[str, Given], with_files: Collection[str] = ()
    ) -> Iterable[Finding]:
        """What the module finds in `inputs`, of which some come `with_files`.

        Raises `ToldElsewhere` where it failed, `ModuleError` where what it found are no findings.
        Where it has died, we die like it.
        """
        self._runs += 1
        letter = Letter(*as_letter(inputs, with_files))
        length = put(letter, memoryview(self._images))
        self._send(_Order(number=self._runs, length=length))
        left = self._letter(self._runs)
        self._given.clear()
        return exchange.judged(left.items, left.arrays, self._memory_mb * MEBIBYTE).items

    def _send(self, order: _Order) -> None:
        with suppress(OSError):  # it has died: the answer says so
            send(self._pipe, order)

    def _letter(self, number: int) -> Letter:
        try:
            packet = self._pipe.recv(LONGEST)
        except ConnectionError:
            packet = b""
        if not packet:
            self._end_like_it()
        try:
            answer = _Answer.model_validate_json(packet)
            letter = self._found.take(answer.length)
        except (ValidationError, ModuleError):
            os._exit(1)  # whoever speaks so once is not listened to again; a fresh one is started
        if answer.number != number:
            os._exit(1)
        self._found.clear()
        if answer.ended is not Ended.WELL:
            raise ToldElsewhere(answer.ended, _in_words(answer), letter.traceback)
        return letter

    def _end_like_it(self) -> None:
        _pid, status = os.waitpid(self._pid, 0)
        code = os.waitstatus_to_exitcode(status)
        if code < 0:
            os.kill(os.getpid(), -code)
        os._exit(code or 1)


def _be(interpreter: Interpreter, descriptors: Sequence[int], abi: int) -> None:
    """Become the module's process, or end."""
    try:
        for descriptor in descriptors:
            os.set_inheritable(descriptor, True)
        limits.close_all_but({0, 1, 2, *descriptors})
        pipe, given, found = descriptors
        interpreter.become(pipe, given, found, abi)
    finally:
        os._exit(1)  # the interpreter is gone, or its walls cannot be raised


def as_letter(
    inputs: Mapping[str, Given], with_files: Collection[str] = ()
) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """The voxels of the inputs, decoded, and what `hilum_module` is told of each series.

    For the inputs `with_files`, the DICOM files go along.
    """
    items: list[dict[str, Any]] = []
    arrays: dict[str, np.ndarray] = {}
    for name, given in inputs.items():
        if given is None:
            continue  # an optional input that is not there
        if isinstance(given, Findings):
            found, held = exchange.as_items(_known_there(given))
            items.append({"input": name, "findings": found})
            arrays |= {f"{name}.{key}": array for key, array in held.items()}
            continue
        volume = given.volume()
        frame = volume.frame_of_reference_uid
        arrays[f"{name}.voxels"] = volume.array
        arrays[f"{name}.affine"] = volume.affine
        files = _files(given) if name in with_files else None
        for number, content in enumerate(files or ()):
            arrays[f"{name}.file.{number}"] = content
        items.append(
            {
                "input": name,
                "files": None if files is None else len(files),
                "modality": given.modality,
                "description": given.description,
                "uid": str(given.uid),
                "images": [str(frame.instance.sop_instance_uid) for frame in given.frames],
                "frame_of_reference_uid": frame and str(frame),
            }
        )
    return items, arrays


def _files(series: Series) -> list[np.ndarray]:
    contents = []
    for instance in series.instances:
        with instance.path.open("rb") as file:
            contents.append(np.frombuffer(file.read(), np.uint8))
    return contents


def _known_there(findings: Findings) -> Findings:
    """Those of the kinds that `hilum_module` has."""
    return Findings(tuple(one for one in findings.items if type(one) in KNOWN_THERE))


def _in_words(answer: _Answer) -> str:
    deed = deed_of(OSError(answer.errno, "")) if answer.errno else None
    if deed:
        return named(deed, answer.text)
    if answer.text.startswith("FindingError"):
        return answer.text
    return f"the module raised {answer.text}" if answer.number else answer.text
