"""A module in an environment of its own: installed for real, with another numpy than ours."""

import ctypes
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from hilum.audit import AuditStore, ObjectType, audit_file
from hilum.audit.system_user import actor_here
from hilum.cli import app
from hilum.config import load
from hilum.config.site import Worker
from hilum.engine import exchange
from hilum.environments import KIND, LOCK, PACKAGES, Environment
from hilum.environments.folders import folders_in
from hilum.errors import (
    ConfigurationError,
    MissingPartError,
    ModuleCancelled,
    ModuleCrashed,
    ModuleError,
)
from hilum.hosts import Host, Job, Place, in_child, open_host
from hilum.hosts.discovery import installed_module, installed_modules, known_modules
from hilum.hosts.whereabouts import runs_in
from hilum.installing import Wanted, _put, add, remove
from hilum.installing.uv import VERSION, InstallingError, Uv, interpreter
from hilum.module import CARD, Input
from hilum.processes.process import descendants
from hilum.testing import check_host, job_of, write_series
from patience import PATIENCE, until

OTHER_NUMPY = "1.26.4"
MOODY = """\
import os
import resource
import socket
import subprocess

import numpy as np
from hilum_module import Input, Measurement, Note, Segment, codes


class Moody:
    name, version, title = "old-numbers", "1.0", "Old numbers"
    needs = Input(modality="MR", slice_spacing=(0.5, 2.0))

    def run(self, series):
        volume = series.volume()
        mask = volume.with_array(volume.array > volume.array.mean())
        bright = Segment(mask, codes.BRAIN, "Bright")
        yield bright
        yield Measurement(codes.VOLUME, bright.volume_ml, codes.MILLILITRE, of=bright)
        yield from getattr(self, series.description, self.calm)(volume)

    def calm(self, volume):
        yield Note("numpy " + np.__version__)

    def raises(self, volume):
        raise KeyError("Marker^Patient")

    def other(self, volume):
        yield Segment(volume, codes.BRAIN, "Grey")

    def cores(self, volume):
        yield Note("cores: %s %s" % resource.getrlimit(resource.RLIMIT_CORE))

    def leaves(self, volume):
        raise SystemExit("no licence")

    def halves(self, volume):
        raise ValueError("a name that is no UTF-8: \\udc80")

    def half(self, volume):
        yield Note("a text that is no UTF-8: \\udc80")

    def words(self, volume):
        yield Measurement("volume", 1.0, codes.MILLILITRE)

    def returns(self, volume):
        yield from ()
        yield from self.part()

    def part(self):
        yield Measurement(codes.VOLUME, 1.0, codes.MILLILITRE, of="the first segment")

    def calls(self, volume):
        socket.create_connection(("127.0.0.1", 1))

    def starts(self, volume):
        subprocess.run(["/bin/true"])

    def becomes(self, volume):
        os.execv("/bin/true", ["true"])

    def reads(self, volume):
        open("/etc/passwd").read()

    def writes(self, volume):
        open(__file__, "w")

    def signals(self, volume):
        os.kill(os.getppid(), 9)

    def ends(self, volume):
        os._exit(3)

    def hangs(self, volume):
        while True:
            pass
"""
PROJECT = """\
[project]
name = "old-numbers"
version = "1.0"
dependencies = ["hilum-module", "numpy<2"]

[project.entry-points."hilum.modules"]
old-numbers = "old_numbers:Moody"
"""
LINES = {  # of what is wrong, and the beginning of what is said
    "leaves": ('raise SystemExit("no licence")', "SystemExit in"),
    "halves": ('raise ValueError("a name that is no UTF-8: \\udc80")', "ValueError in"),
    "half": ('yield Note("a text that is no UTF-8: \\udc80")', "FindingError: finding 3: a field"),
    "words": ('yield Measurement("volume", 1.0, codes.MILLILITRE)', "FindingError: .* the code of"),
    "returns": (
        'yield Measurement(codes.VOLUME, 1.0, codes.MILLILITRE, of="the first segment")',
        "FindingError: finding 3: ",
    ),
}
FORBIDDEN = {
    "calls": "open a network connection",
    "starts": "start a process",
    "becomes": "use a file that is not its own",
    "reads": "use a file that is not its own",
    "writes": "use a file that is not its own",
    "signals": "reach another process",
}


def project(folder: Path, text: str = PROJECT, code: str = MOODY) -> Path:
    (folder / "old_numbers").mkdir(parents=True)
    (folder / "old_numbers" / "__init__.py").write_text(code)
    (folder / "pyproject.toml").write_text(text)
    return folder


@pytest.fixture(scope="module")
def wheels(request: pytest.FixtureRequest) -> Path:
    """The folder that a hospital without internet has: the other numpy is in it."""
    folder = request.config.cache.mkdir("wheels")
    if not list(folder.glob(f"numpy-{OTHER_NUMPY}-*.whl")):
        words = ["--no-deps", "--only-binary", ":all:", "-d", str(folder), f"numpy=={OTHER_NUMPY}"]
        command = [sys.executable, "-m", "pip", "download", "-q", *words]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            pytest.skip(f"numpy {OTHER_NUMPY} cannot be had for this Python")
    return folder


@pytest.fixture(scope="module")
def models(wheels: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of models with one environment."""
    folder = tmp_path_factory.mktemp("models")
    source = project(tmp_path_factory.mktemp("source") / "old")
    add(Wanted(str(source), wheels=wheels), folder)
    return folder


@pytest.fixture(scope="module")
def host(models: Path) -> Iterator[Host]:
    limits = Worker(memory_mb=2048, timeout_seconds=PATIENCE)
    here = Path(os.path.relpath(models))  # as `hilum run --models models` gives it
    with closing(open_host(in_child("old-numbers"), Place(limits, here))) as opened:
        yield opened


def job(models: Path, folder: Path, mood: str = "calm") -> Job:
    files = write_series(folder / mood, SeriesDescription=mood)
    return job_of(installed_module("old-numbers", Place(models=models)), files, folder / "out")


def test_it_runs_beside_ours_with_another_numpy(host: Host, models: Path, tmp_path: Path) -> None:
    asked = job(models, tmp_path)
    check_host(host, asked)
    segment, measurement, note = exchange.load(asked.out / "first").items
    assert note.text == f"numpy {OTHER_NUMPY}" != f"numpy {np.__version__}"
    assert measurement.of is segment
    need = installed_module("old-numbers", Place(models=models)).needs
    assert isinstance(need, Input)
    volume = need.read(asked.inputs["series"]).volume()
    assert np.array_equal(segment.mask.array, volume.array > volume.array.mean())
    assert np.array_equal(segment.mask.affine, volume.affine)
    assert measurement.value == pytest.approx(segment.volume_ml)


def test_its_interpreter_gives_no_core_to_a_program(
    host: Host, models: Path, tmp_path: Path
) -> None:
    """A process that becomes another program may be dumped again: a limit of 1 byte forbids it."""
    asked = job(models, tmp_path, "cores")
    host.run(asked)
    assert exchange.load(asked.out).notes[0].text == "cores: 1 1"


@pytest.mark.parametrize("mood", FORBIDDEN)
def test_its_walls_are_those_of_any_module(
    mood: str, host: Host, models: Path, tmp_path: Path
) -> None:
    with pytest.raises(ModuleError, match=f"tried to {FORBIDDEN[mood]}.*__init__.py, line"):
        host.run(job(models, tmp_path, mood))


def test_its_author_is_shown_the_line(host: Host, models: Path, tmp_path: Path) -> None:
    asked = job(models, tmp_path, "raises")
    with pytest.raises(ModuleError, match=r"raised KeyError in __init__.py, line 26$") as raised:
        host.run(asked)
    assert "Marker" not in str(raised.value)
    assert "Marker^Patient" in (asked.out / "traceback.txt").read_text()
    with pytest.raises(ModuleError, match=r"the mask of a segment is no boolean.*line 29"):
        host.run(job(models, tmp_path, "other"))


@pytest.mark.parametrize("mood", LINES)
def test_its_author_is_shown_the_line_of_whatever_it_raises_or_gives(
    mood: str, host: Host, models: Path, tmp_path: Path
) -> None:
    """Also where Hilum finds what is wrong, outside of the environment."""
    line, said = LINES[mood]
    number = 1 + MOODY.splitlines().index(f"        {line}")
    with pytest.raises(ModuleError, match=rf"raised {said}.*__init__.py, line {number}") as raised:
        host.run(job(models, tmp_path, mood))
    assert not isinstance(raised.value, ModuleCrashed)


def test_it_is_killed_and_comes_back(models: Path, tmp_path: Path) -> None:
    place = Place(Worker(memory_mb=2048, timeout_seconds=4), models)
    with closing(open_host(in_child("old-numbers"), place)) as host:
        before = set(descendants(1))
        with pytest.raises(ModuleCrashed, match="ran for more than 4 s; killed"):
            host.run(slow := job(models, tmp_path / "slow", "hangs"))
        where = (slow.out / "traceback.txt").read_text()
        assert re.search(r'__init__\.py", line \d+ in hangs', where), where
        until(lambda: not any(_is_module(pid) for pid in set(descendants(1)) - before), "its end")
        with pytest.raises(ModuleCancelled):
            host.run(job(models, tmp_path / "unwanted", "hangs"), lambda: False)
        with pytest.raises(ModuleCrashed, match=r"died \(exit code 3\)"):
            host.run(job(models, tmp_path / "ends", "ends"))
        calm = job(models, tmp_path / "calm")
        host.run(calm)
        assert len(exchange.load(calm.out).items) == 3


def _is_module(pid: int) -> bool:
    try:
        return b"hilum_module" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_several_stand_side_by_side_and_can_be_replaced_and_removed(
    models: Path, wheels: Path, tmp_path: Path
) -> None:
    source = str(project(tmp_path / "source", PROJECT.replace('version = "1.0"', 'version = "2"')))
    words = ["--wheels", str(wheels), "--models", str(models)]
    taken = CliRunner().invoke(app, ["modules", "add", source, *words, "--name", "old-numbers"])
    assert isinstance(taken.exception, ConfigurationError)
    assert "--name" in str(taken.exception), "the cure that is applied next"
    second = ["modules", "add", source, *words, "--name", "second"]
    assert CliRunner().invoke(app, second).exit_code == 0
    listed = CliRunner().invoke(app, ["modules", "--models", str(models)]).output
    assert "second" in listed
    assert "old-numbers" in listed
    assert Environment.read(models / "second").package == "old-numbers==2"
    assert (models / "second").as_uri() in (models / "second" / LOCK).read_text()
    assert CliRunner().invoke(app, [*second, "--replace"]).exit_code == 0
    config = tmp_path / "hilum.toml"
    config.write_text(f'data = "{tmp_path}/data"\nmodels = "{models}"\n')
    site = load(config)
    second_there = installed_modules(Place(models=models))["second"]
    said = f"in an environment of its own: old-numbers==2, with {second_there.environment.python}"
    assert runs_in(site, second_there) == said
    of_site = ["--config", str(config)]
    assert CliRunner().invoke(app, [*second[:5], "--name", "third", *of_site]).exit_code == 0
    for name in ("second", "third"):
        gone = CliRunner().invoke(app, ["modules", "remove", name, *of_site])
        assert gone.exit_code == 0, gone.output
    assert not {"second", "third"} & set(installed_modules(Place(models=models)))
    with closing(AuditStore(audit_file(site.data))) as store:
        noted = [(entry.object_type, entry.object, entry.reason) for entry in store.after(0, 9)]
        assert {entry.account for entry in store.after(0, 9)} == {actor_here().account}
    assert noted == [
        (ObjectType.MODULE, "third", f"added, from {source}"),
        (ObjectType.MODULE, "second", "removed"),
        (ObjectType.MODULE, "third", "removed"),
    ]
    assert [path.name for path in models.iterdir()] == ["old-numbers"], "nothing is left over"


def killed_at(event: int, folder: Path, replaced: Path) -> bool:
    """Put `folder` in the place of `replaced` in a process that dies before that event of Python.

    Whether there was such an event. Every call of the system that we could die before is one.
    """
    child = os.fork()
    if not child:
        left = iter(range(event))
        sys.addaudithook(lambda *_: next(left, None) is None and os._exit(9))
        _put(folder, replaced)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status) == 9


@pytest.mark.parametrize("exchanges", [True, False])
def test_whenever_it_dies_there_is_the_old_module_or_the_new_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchanges: bool
) -> None:
    """Also where the C library cannot exchange two names at once, as an old one."""
    if not exchanges:
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: object())
    for event in count():
        folder = tmp_path / str(event)
        place, staging = folder / "sums", folder / ".adding-1"
        for version, where in (("1", place), ("2", staging)):
            (where / PACKAGES).mkdir(parents=True)
            (where / PACKAGES / "version").write_text(version)
            (where / LOCK).write_text(where.as_uri())
            (where / CARD).write_text(f'module = "{KIND}"\nname = "sums"\nversion = "{version}"\n')
        killed = killed_at(event, staging, place)
        assert "sums" in known_modules(Place(models=folder)), event
        found = [one for one in folders_in(folder) if (one / CARD).is_file()]
        assert len(found) == 1, event
        there = (found[0] / PACKAGES / "version").read_text()
        assert f'version = "{there}"' in (found[0] / CARD).read_text(), event
        assert (found[0] / LOCK).is_file() and (killed or there == "2"), event
        remove("sums", folder)
        assert "sums" not in known_modules(Place(models=folder)), event
        if not killed:
            return


def test_a_wheel_with_another_hash_is_refused(models: Path, wheels: Path, tmp_path: Path) -> None:
    lock = (models / "old-numbers" / LOCK).read_text()
    first = lock.index("sha256:") + len("sha256:")
    (tmp_path / "lock").write_text(lock[:first] + "0" * 64 + lock[first + 64 :])
    with pytest.raises(InstallingError, match=r"(?i)hash"):
        Uv(interpreter(None), wheels).install(tmp_path / "lock", tmp_path / PACKAGES)
    assert not list(tmp_path.glob(f"{PACKAGES}/*.dist-info"))


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("empty", "no name and version of a project"),
        ("bare", "no code that could be packed"),
        ("old.tar.gz", "would run its author's code"),
        ("no package!", "no folder, wheel or package"),
        ("absent-package", "absent-package"),
    ],
)
def test_what_cannot_be_added_is_said(source: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "empty").mkdir()
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\n')
    (tmp_path / "old.tar.gz").write_bytes(b"")
    here = tmp_path / source
    wanted = Wanted(str(here) if here.exists() else source, wheels=tmp_path / "empty")
    with pytest.raises((ConfigurationError, InstallingError), match=said):
        add(wanted, tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_an_interpreter_that_is_gone_is_said(models: Path, tmp_path: Path) -> None:
    card = Environment.read(models / "old-numbers")
    (tmp_path / "old-numbers").mkdir()
    gone = card.model_copy(update={"python": Path("/nowhere/python3")})
    gone.write(tmp_path / "old-numbers")
    with pytest.raises(ConfigurationError, match="/nowhere/python3 is not there any more"):
        open_host(in_child("old-numbers"), Place(Worker(), tmp_path)).start()


def test_without_uv_the_cure_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingPartError, match=f"pip install uv=={VERSION}$"):
        Uv(Path("/usr/bin/python3")).lock(tmp_path / "in", tmp_path / "out")
    assert f'"uv=={VERSION}"' in (Path(__file__).parents[2] / "pyproject.toml").read_text()
