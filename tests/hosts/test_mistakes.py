"""What the author of a module reads of a mistake: what is wrong, and the line of it."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from factory import mr_slices, write
from hilum.config.site import Worker
from hilum.dicom.parts import Part
from hilum.engine import exchange
from hilum.errors import ModuleCrashed, ModuleError
from hilum.hosts import Host, Job, Place, in_child, open_host
from hilum.hosts.discovery import discover, installed_modules
from hilum.module import facts_of, problem_of
from patience import PATIENCE
from plugin import install_plugin

MISTAKES = """
    import asyncio, ctypes, os, sys, time
    from hilum import Input, Note
    from hilum.errors import ModuleError

    class Own(BaseException):
        pass

    class Module:
        name, version, needs = "mistaken", "1", Input("MR")

        def run(self, series):
            return getattr(self, series.description.split()[-1])()

        def leaves(self):
            sys.exit("no licence")

        def interrupts(self):
            raise KeyboardInterrupt

        def cancels(self):
            raise asyncio.CancelledError
            yield

        def closes(self):
            raise GeneratorExit
            yield

        def owns(self):
            raise Own("Marker^Patient")

        def stops(self):
            yield Note("a part")
            next(iter(()))

        def halves(self):
            raise ValueError("a name that is no UTF-8: \\udc80")

        def crashes(self):
            ctypes.string_at(0)

        def prints(self):
            for _ in range(66):
                os.write(1, bytes(1 << 20))
            while os.fstat(1).st_size > 64 << 20:
                time.sleep(0.01)
            yield Note("it is short again")

        def lends(self):
            raise ModuleError("Marker^Patient")

        def half(self):
            yield Note("a text that is no UTF-8: \\udc80")
"""
LINES = {  # of what each raises, and the beginning of what is said
    "leaves": ('sys.exit("no licence")', "the module raised SystemExit in"),
    "interrupts": ("raise KeyboardInterrupt", "the module raised KeyboardInterrupt in"),
    "cancels": ("raise asyncio.CancelledError", "the module raised CancelledError in"),
    "closes": ("raise GeneratorExit", "the module raised GeneratorExit in"),
    "owns": ('raise Own("Marker^Patient")', "the module raised Own in"),
    "stops": ("next(iter(()))", "the module raised RuntimeError in"),
    "halves": ('raise ValueError("a name that is no UTF-8: \\udc80")', "raised ValueError in"),
    "lends": ('raise ModuleError("Marker^Patient")', "the module raised ModuleError in"),
    "half": ('yield Note("a text that is no UTF-8: \\udc80")', "half of a character"),
}
HEAD = "from hilum import Input\nclass Module:\n name, version = 'mistaken', '1'\n"
CLASSES = {  # the file, and what is said of it
    "leaves": ("import sys\nsys.exit(2)", r"SystemExit in plugin_mistaken\.py, line 2"),
    "half": ("raise ValueError('\\udc80')", r"ValueError: \\udc80"),
    "object": (f"{HEAD} needs = Input('MR')\nModule = Module()", "of the type Module"),
    "function": ("def Module(series): 0", "of the type function, and a module is a class"),
    "none": (f"{HEAD} def run(self, s): 0", "has no needs"),
    "word": (f"{HEAD} needs = 'MR'\n def run(self, s): 0", "of the type str, none of Input, Films"),
    "words": (f"{HEAD} needs = {{'t1': 'MR'}}\n def run(self, t1): 0", "input 't1' is of the type"),
    "nothing": (f"{HEAD} needs = Input('MR')\n def run(self): 0", r"def run\(self, series\)"),
    "other": (f"{HEAD} needs = {{'t1': Input('MR')}}\n def run(self, t2): 0", r"run\(self, t1\)"),
    "chosen": (
        f"{HEAD} needs, parameters = Input('MR'), dict\n def run(self, s): 0",
        r"def run\(self, series, parameters\)",
    ),
    "made": (
        f"{HEAD} needs = Input('MR')\n def __init__(self, device): 0\n def run(self, s): 0",
        "has an `__init__` with arguments",
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("mistaken")
    with pytest.MonkeyPatch.context() as patched:
        install_plugin(folder, patched, MISTAKES, "mistaken")
        yield folder


@pytest.fixture(scope="module")
def host(folder: Path) -> Iterator[Host]:
    place = Place(Worker(timeout_seconds=PATIENCE))
    with closing(open_host(in_child("mistaken"), place)) as opened:
        yield opened


@pytest.mark.parametrize("mood", LINES)
def test_whatever_a_module_raises_is_told_with_its_line(
    host: Host, folder: Path, tmp_path: Path, mood: str
) -> None:
    files = write(mr_slices(mood, count=1, description=f"it {mood}"), tmp_path / "images")
    weights = facts_of(installed_modules()["mistaken"]).weights_sha256
    asked = Job({"series": [Part(file) for file in files]}, tmp_path / "out", weights)
    line, said = LINES[mood]
    with pytest.raises(ModuleError, match=said) as raised:
        host.run(asked)
    assert not isinstance(raised.value, ModuleCrashed), "it is not run a second time"
    assert "Marker" not in str(raised.value)
    place = re.search(r"plugin_mistaken\.py, line (\d+)\)?$", str(raised.value))
    assert place, str(raised.value)
    assert _source(folder)[int(place[1]) - 1].strip() == line
    assert (asked.out / "traceback.txt").read_text()


def test_where_a_module_crashed_stands_in_its_traceback(
    host: Host, folder: Path, tmp_path: Path
) -> None:
    """Where one hung, too: see `test_child`."""
    files = write(mr_slices("crashes", count=1, description="it crashes"), tmp_path / "images")
    weights = facts_of(installed_modules()["mistaken"]).weights_sha256
    asked = Job({"series": [Part(file) for file in files]}, tmp_path / "out", weights)
    with pytest.raises(ModuleCrashed, match="exit code -11"):
        host.run(asked)
    number = 1 + [text.strip() for text in _source(folder)].index("ctypes.string_at(0)")
    kept = (asked.out / "traceback.txt").read_text()
    assert re.search(rf'plugin_mistaken\.py", line {number} in crashes', kept), kept


def _source(folder: Path) -> list[str]:
    return (folder / "plugin_mistaken.py").read_text().splitlines()


def test_what_a_module_prints_fills_no_disk(host: Host, folder: Path, tmp_path: Path) -> None:
    files = write(mr_slices("prints", count=1, description="it prints"), tmp_path / "images")
    weights = facts_of(installed_modules()["mistaken"]).weights_sha256
    asked = Job({"series": [Part(file) for file in files]}, tmp_path / "out", weights)
    host.run(asked)
    assert exchange.load(asked.out).notes[0].text == "it is short again"


@pytest.mark.parametrize("mistake", CLASSES)
def test_what_cannot_be_run_is_told_before_a_study_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str
) -> None:
    source, said = CLASSES[mistake]
    install_plugin(tmp_path, monkeypatch, source, "mistaken")
    found, problems = discover(Place(), {"mistaken"})
    assert not found
    assert re.search(said, problems["mistaken"]), problems


RUNNABLE = {  # ways to write `run` that Python can call as it is declared
    "usual": " def run(self, series): 0",
    "named": " def run(self, volume, *, more=1): 0",
    "static": " @staticmethod\n def run(series): 0",
    "class": " @classmethod\n def run(cls, series): 0",
    "any": " def run(self, *given, **named): 0",
}


@pytest.mark.parametrize("way", RUNNABLE)
def test_what_can_be_run_is_not_refused(way: str) -> None:
    names: dict[str, Any] = {}
    exec(f"{HEAD} needs = Input('MR')\n{RUNNABLE[way]}", names)
    assert problem_of(names["Module"]) == ""
