"""What modules have said of themselves, kept until something changes that they are made of.

So their code is loaded once, not in each process and at each start. A problem is believed for an
hour: then what the module lacked may be there. That it did not come back is believed for five
minutes: the machine may have been busy, as it is while it starts.
"""

import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from hilum.config.fields import JSONValues
from hilum.errors import ConfigurationError
from hilum.hosts.beginning import Question
from hilum.hosts.place import Place
from hilum.hosts.reader import DidNotComeBack, ask_module
from hilum.hosts.walls import standing
from hilum.inbox import write_durably
from hilum.module.description import Description
from hilum.module.origin import CodeOrigin
from hilum.privacy import OWNER_ONLY

FOLDER = "described"  # in the data folder; whatever lies there may be lost
BELIEVED_SECONDS, SILENCE_SECONDS = 3600.0, 300.0
_OF_PACKAGES = ("*.dist-info", "*.egg-info", "*.pth")  # change with what is installed


class Noted(BaseModel):
    """What a module said, or its `problem`, at a time in s since 1970.

    `made_of` is the fingerprint of all that it may depend on, `weights` that of its weights.
    `silent`: the problem is that it did not come back.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="constants")

    at: float
    made_of: str
    weights: str
    said: JsonValue = None
    problem: str = ""
    silent: bool = False

    def holds(self, *, anew: bool) -> bool:
        """Whether it is still believed; with `anew`, no problem is."""
        most = SILENCE_SECONDS if self.silent else BELIEVED_SECONDS
        return not self.problem or (not anew and 0 <= time.time() - self.at < most)


def packages_installed() -> str:
    """A fingerprint of which packages are installed: one more may change what a module says."""
    return _state(_of_packages())


def described(
    name: str,
    origin: CodeOrigin,
    place: Place,
    packages: Callable[[], str] = packages_installed,
    *,
    anew: bool = False,
) -> Description:
    """What the module called `name` says of itself.

    Raises `ConfigurationError` that says why it says nothing, `MachineError` if it cannot be asked.
    """
    return Description.model_validate(asked(name, origin, place, None, packages, anew=anew))


def asked(
    name: str,
    origin: CodeOrigin,
    place: Place,
    parameters: JSONValues | None = None,
    packages: Callable[[], str] = packages_installed,
    *,
    anew: bool = False,
) -> JsonValue:
    """What the module called `name` says, as `hilum.hosts.reader.ask_module`, or has said before.

    `packages` gives the fingerprint of those that are installed. `anew`: it is asked again where it
    had a problem.
    """
    question = json.dumps(parameters, sort_keys=True)
    made_of = _made_of(name, origin, place, packages())
    if place.data is None or not place.data.is_dir():
        noted = _heard(name, origin, place, question, made_of)
    else:
        noted = _noted(name, origin, place, question, made_of, anew=anew)
    if noted.problem:
        raise ConfigurationError(noted.problem)
    return noted.said


def _noted(
    name: str, origin: CodeOrigin, place: Place, question: str, made_of: str, *, anew: bool
) -> Noted:
    """What lies in the data folder, where it still holds; else the module is asked."""
    assert place.data is not None
    named = json.dumps([origin.target, str(origin.folder or ""), question])
    file = place.data / FOLDER / f"{hashlib.sha256(named.encode()).hexdigest()[:32]}.json"
    known = _read(file)
    is_same = known and known.made_of == made_of and known.weights == _state(_weights(known.said))
    if known and is_same and known.holds(anew=anew):
        return known
    noted = _answer(name, origin, place, question, made_of)
    with suppress(OSError):  # it is asked again, no more
        file.parent.mkdir(mode=OWNER_ONLY, exist_ok=True)
        write_durably(file, noted.model_dump_json().encode())
    return noted


def _read(file: Path) -> Noted | None:
    try:
        return Noted.model_validate_json(file.read_bytes())
    except (OSError, ValidationError):
        return None


@cache
def _heard(name: str, origin: CodeOrigin, place: Place, question: str, made_of: str) -> Noted:
    """What it says to us, once for each process, where there is no data folder."""
    return _answer(name, origin, place, question, made_of)


def _answer(name: str, origin: CodeOrigin, place: Place, question: str, made_of: str) -> Noted:
    parameters: JSONValues | None = json.loads(question)
    now = time.time()
    try:
        said = ask_module(name, origin, place, Question(parameters))
        if parameters is None:
            Description.judged(said)
        return Noted(at=now, made_of=made_of, weights=_state(_weights(said)), said=said)
    except ConfigurationError as error:
        cure = f"repair or uninstall {origin.package}; `hilum modules` asks it again"
        problem = str(error) if parameters is not None else f"{error}; {cure}"
        silent = isinstance(error, DidNotComeBack)
        return Noted(at=now, made_of=made_of, weights=_state(()), problem=problem, silent=silent)


def _made_of(name: str, origin: CodeOrigin, place: Place, packages: str) -> str:
    """A fingerprint of all that the words of a module may depend on, except its weights."""
    memory = place.limits.memory_mb
    given = (version("hilum"), sys.version, memory, place.host_for(name), standing(), packages)
    places = [*_code(origin.package)]
    if origin.folder:
        places += _files(origin.folder)
    return hashlib.sha256(f"{given} {_state(places)}".encode()).hexdigest()


def _of_packages() -> Iterator[Path]:
    """What tells which packages are installed: another version of one may change what it says."""
    for entry in dict.fromkeys(sys.path):
        for pattern in _OF_PACKAGES:
            yield from sorted(Path(entry or ".").glob(pattern))


def _code(package: str) -> Iterator[Path]:
    """The files of the package, or the only one."""
    try:
        spec = find_spec(package)
    except (ImportError, ValueError):
        return
    for folder in (spec and spec.submodule_search_locations) or ():
        yield from _files(Path(folder))
    if spec and spec.origin:
        yield Path(spec.origin)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts)


def _weights(said: JsonValue) -> list[Path]:
    files = said.get("weights") if isinstance(said, dict) else None
    return (
        [Path(file) for file in files if isinstance(file, str)] if isinstance(files, list) else []
    )


def _state(paths: Iterable[Path]) -> str:
    """A fingerprint of files that is another one once somebody has changed one (stat(2))."""
    digest = hashlib.sha256()
    for path in paths:
        state = "gone"
        with suppress(OSError, ValueError):
            found = path.stat()
            state = f"{found.st_ino} {found.st_size} {found.st_mtime_ns} {found.st_ctime_ns}"
        digest.update(f"{path} {state}\n".encode(errors="replace"))
    return digest.hexdigest()
