"""The process in which a module of another environment runs, as ours sees it.

Ours reads the images; the other asks for voxels, which come in shared memory, and leaves what it
found in another one. It is forked before our walls are raised, raises its own, and becomes the
interpreter of the environment, from which nothing of Hilum can be reached.

    worker -- files --> our process: decodes <- inquiry, voxels -> the module's own interpreter
    worker <- letter -- judges, adds pictures   <- findings --
"""

import importlib.util
import mmap
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from hilum.config.fields import JSONValues
from hilum.dicom.series import Series
from hilum.engine.theirs import TheirFindings
from hilum.environments import PACKAGES, InEnvironment
from hilum.errors import ConfigurationError, DicomError, MissingPartError, ModuleError
from hilum.findings import Finding
from hilum.hosts.channel import LONGEST, Ended, ModuleAnswer, pair, send
from hilum.hosts.given import GivenInput, GivenInputs, Inquiry
from hilum.hosts.shelf import MEBIBYTE, Letter, Shelf, put, shelf_bytes
from hilum.hosts.walls import Reach, limits
from hilum.hosts.walls.deeds import deed_of, named

MOST_BYTES_GIVEN = 64 << 30  # a page is taken from the machine when it is written to
MORE_ROOM = "raise worker.memory_mb, of which half is for that"
THEIRS = "hilum_module"  # the package that speaks for the module


class _Order(BaseModel):
    """What the module runs on, or has asked for, lies in its memory; `length` is of the JSON."""

    number: int
    length: int


class _Answer(ModuleAnswer):
    """As that of any module. `errno` is that of the operating system, 0 if it gave none.

    `is_of_images`: the run ended because the images do not have what it asked for.
    """

    errno: int = 0
    is_of_images: bool = False


class FailedElsewhere(ModuleError):  # noqa: N818
    """How a run ended elsewhere: in words, and the traceback of its author."""

    def __init__(self, ended: Ended, text: str, traceback: str) -> None:
        super().__init__(text)
        self.ended = ended
        self.traceback = traceback


@dataclass(frozen=True)
class Interpreter:
    """What the process becomes: `python` with the `packages` of the module that `target` names.

    Without `makes`, no instance of it is made: its functions `objection` are asked, and no model is
    loaded for that.
    """

    python: Path
    packages: Path
    target: str
    reach: Reach
    needs_walls: bool
    makes: bool = True

    def become(self, pipe: int, given: int, found: int, abi: int) -> None:
        """Raise the walls, and be that interpreter, which comes back only if they do not stand."""
        if self.reach.confine(abi) and self.needs_walls:
            return
        begin = str(folder_of_ours() / "begin.py")
        numbers = map(str, (pipe, given, found))
        # alone (-I) and without packages (-S): nothing of the module runs before its walls stand
        words = [str(self.python), "-I", "-S", "-u", begin, str(self.packages), self.target]
        needed = "instance" if self.makes else "class"
        os.execve(self.python, [*words, needed, *numbers], dict(os.environ))


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
        """What the module says of itself once it is loaded; raises `FailedElsewhere`."""
        answer, letter = self._heard()
        _require_well(answer, letter)
        return next(iter(letter.items), {})

    def ask(self, inputs: Mapping[str, GivenInput], parameters: JSONValues) -> Iterable[Finding]:
        """What the module finds in `inputs`, with the `parameters` of the rule.

        Raises
        ------
        FailedElsewhere
            It failed. Where it has died, we die like it.
        ModuleError
            What it found are no findings.
        DicomError
            The images do not have what it asked for. A module may catch that; whatever else goes
            wrong here while it asks is raised in any case.
        """
        letter = self._said(GivenInputs(inputs), {"parameters": parameters})
        return TheirFindings(letter.items, letter.arrays, self._memory_mb * MEBIBYTE)

    def objection(self, name: str, series: Series) -> str:
        """Why the function of its input called `name` does not mean `series`, "" if it does.

        Raises as `ask`.
        """
        letter = self._said(GivenInputs({name: series}), {"objection": name})
        try:
            (item,) = letter.items
            return str(item["objection"])
        except (ValueError, KeyError) as error:
            raise ModuleError("what the module's process says is no objection") from error

    def _said(self, given: GivenInputs, order: JSONValues) -> Letter:
        """What the module says to `order`; it may ask for what is `given`."""
        self._runs += 1
        self._tell(given.letter(order))
        failure: Exception | None = None
        answer, letter = self._heard()
        while answer.ended is Ended.ASKS:
            inquiry = _inquiry(letter)
            try:
                self._tell(given.answer(inquiry))
            except Exception as error:  # noqa: BLE001 - the module waits for an answer
                if failure is None or isinstance(failure, DicomError):
                    failure = error
                self._tell(Letter([{"problem": str(error)}]))
            answer, letter = self._heard()
        if failure and (answer.is_of_images or not isinstance(failure, DicomError)):
            raise failure
        _require_well(answer, letter)
        return letter

    def _tell(self, letter: Letter) -> None:
        self._given.clear()
        try:
            length = put(letter, memoryview(self._images))
        except ModuleError as error:
            raise FailedElsewhere(Ended.FAILED, self._no_room, "") from error
        with suppress(OSError):  # it has died: the answer says so
            send(self._pipe, _Order(number=self._runs, length=length))

    @property
    def _no_room(self) -> str:
        room = self._given.size // MEBIBYTE
        return f"what the module asks for takes more than {room} MiB: {MORE_ROOM}"

    def _heard(self) -> tuple[_Answer, Letter]:
        """What the module says next, of the run that it is at."""
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
        if answer.number != self._runs:
            os._exit(1)
        self._found.clear()
        return answer, letter

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


def _inquiry(letter: Letter) -> Inquiry:
    """What the module asks for; one that asks for nonsense ends us, as in `Elsewhere._heard`."""
    try:
        (item,) = letter.items
        return Inquiry.model_validate(item)
    except ValueError:
        os._exit(1)


def _require_well(answer: _Answer, letter: Letter) -> None:
    if answer.ended is not Ended.WELL:
        raise FailedElsewhere(answer.ended, _in_words(answer), letter.traceback)


def _in_words(answer: _Answer) -> str:
    deed = deed_of(OSError(answer.errno, "")) if answer.errno else None
    if deed:
        return named(deed, answer.text)
    return f"the module raised {answer.text}" if answer.number else answer.text
