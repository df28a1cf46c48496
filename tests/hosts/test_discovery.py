"""Modules of others are described behind walls: what their import does, and says, harms nobody."""

import errno
import json
import math
import os
import re
import socket
import sys
import textwrap
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from factory import mr_slices, write
from hilum.checking import check_rules
from hilum.cli import app
from hilum.config import parse
from hilum.config.site import Rule, Worker
from hilum.dicom.instance import Instance
from hilum.engine import exchange
from hilum.errors import ConfigurationError, MachineError, ModuleError
from hilum.hosts import described, discovery, in_child, judging, open_host, planning
from hilum.hosts.described import BELIEVED_SECONDS, FOLDER, SILENCE_SECONDS
from hilum.hosts.discovery import (
    discover,
    installed_module,
    require_parameters,
    required_module,
)
from hilum.hosts.judging import WalledJudge
from hilum.hosts.place import Place
from hilum.hosts.planning import ChildHostSettings
from hilum.kinds import FORMATS
from hilum.module import facts_of, inputs_of
from hilum.module.description import DescribedModule, card_of
from hilum.service.worker import start_modules
from hilum.study.arrival import Arrival
from hilum.study.assembly import NotApplicable, Run, decide
from hilum.testing import job_of, write_series
from hilum_lab.package import write_package
from tests.core.test_order_of_arrival import gateway
from tests.patience import PATIENCE

MODULE = """

from hilum import Input

class Module:
    name, version, needs = {name!r}, "1", Input("MR")
    def run(self, series, parameters=None):
        return ()
"""
SAYS = """
import os, socket, stat
for number in range(256):
    try:
        if stat.S_ISSOCK(os.fstat(number).st_mode):
            found = socket.socket(fileno=os.dup(number))
            if found.type == socket.SOCK_SEQPACKET:
                for _ in range({times}):
                    found.send({words!r})
    except OSError:
        pass
os._exit(0)
"""
# What the import does, and what is said of it.
DEEDS = {
    "calls": (
        'import socket; socket.create_connection(("127.0.0.1", PORT))',
        "the module tried to open a network connection",
    ),
    "reads": ('open("DATA/hilum.db").read()', "tried to use a file that is not its own"),
    "writes": ('open("DATA/witness", "w")', "tried to use a file that is not its own"),
    "kills": ("import os; os.kill(os.getppid(), 9)", "tried to reach another process"),
    "forks": ("import os; os.fork()", "tried to start a process"),
    "eats": ("held = bytearray(8 << 30)", "needs more than 512 MiB: raise worker.memory_mb"),
    "dies": ("import os; os.abort()", "died before it had answered"),
    "leaves": ("raise SystemExit", "SystemExit in stranger_leaves.py, line 1"),
    "lies": (SAYS.format(times=1, words=b'{"said": {"name": "lies"}}'), "version is missing"),
    "raves": (SAYS.format(times=1, words=b"\x80\x04."), "an answer that makes no sense"),
    "floods": (SAYS.format(times=99, words=b"x" * 50_000), "describes itself in more than"),
    "lacks": ("import nowhere_to_be_found", "No module named 'nowhere_to_be_found'"),
}
ASKED_AGAIN = "repair or uninstall stranger_{name}; `hilum modules` asks it again"
MEMBERS = {  # lines of the class, and what is said of them
    "titled": ('    title = "x" * 10_000', "title: 200 characters at most are allowed"),
    "commands": ('    title = "a\\x1b[2Jb"', "title: a text of the form"),
    "weighty": ('    weights = "DATA/hilum.db"', "name their folder by `folders`"),
    "derived": (
        "    needs = type('Own', (Input,), {})('MR')",
        "is of the class Own, .* `objection`",
    ),
    "other": ('    name = "another"', "give both one name"),
}


class Installed:
    """Packages of strangers beside a data folder."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
        self.folder = folder / "packages"
        self.data = folder / "data"
        self.data.mkdir(mode=0o700)
        (self.data / "hilum.db").write_text("records")
        self.folder.mkdir()
        self.place = Place(Worker(timeout_seconds=PATIENCE, memory_mb=512), data=self.data)
        self._port = str(port)
        monkeypatch.syspath_prepend(str(self.folder))

    def add(self, name: str, before: str = "", members: str = "") -> None:
        """A module called `name`; `before` runs when it is imported."""
        package = f"stranger_{name}"
        source = textwrap.dedent(before) + MODULE.format(name=name) + members
        source = source.replace("PORT", self._port).replace("DATA", str(self.data))
        (self.folder / f"{package}.py").write_text(source)
        if not (self.folder / f"{package}-1.0.dist-info").exists():
            write_package(self.folder, package, {name: f"{package}:Module"})


@pytest.fixture
def strangers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installed]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield Installed(tmp_path, monkeypatch, listener.getsockname()[1])
        with pytest.raises(BlockingIOError):
            listener.accept()  # nobody has called
    loaded = [name for name in sys.modules if name.startswith("stranger_")]
    assert loaded == [], "no code of theirs is ever loaded here"


def test_what_an_import_does_harms_its_own_module_only(strangers: Installed) -> None:
    strangers.add("good", "print('x' * 1_000_000)")
    for name, (before, _) in DEEDS.items():
        strangers.add(name, before)
    found, problems = discover(strangers.place)
    assert {"good", "hippocampal-volume", "chest-radiograph"} == set(found)
    for name, (_, said) in DEEDS.items():
        assert said in problems[name], problems[name]
        assert ASKED_AGAIN.format(name=name) in problems[name]
    assert not (strangers.data / "witness").exists()
    facts = facts_of(found["good"])
    assert (facts.name, facts.version, facts.title) == ("good", "1", "good")
    with pytest.raises(ModuleError, match="runs behind walls, by its host only"):
        found["good"]().run()


def test_an_import_that_hangs_harms_its_own_module_only(strangers: Installed) -> None:
    strangers.add("good")
    strangers.add("hangs", "while True: pass")
    hasty = replace(strangers.place, limits=Worker(timeout_seconds=1, memory_mb=512))
    said = discover(hasty, ["hangs"])[1]["hangs"]
    assert "did not come back in 1 s" in said and ASKED_AGAIN.format(name="hangs") in said
    found, problems = discover(strangers.place)
    assert "good" in found and problems.keys() == {"hangs"}


def test_what_a_module_says_of_itself_is_judged(strangers: Installed) -> None:
    for name, (members, _) in MEMBERS.items():
        strangers.add(name, members=members)
    found, problems = discover(strangers.place, MEMBERS)
    assert found == {}
    for name, (_, said) in MEMBERS.items():
        assert re.search(said, problems[name]), problems[name]


def test_it_is_asked_once_until_something_changes_that_it_is_made_of(
    strangers: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That its code is loaded is seen by the time that it notes in its title."""
    strangers.add("timed", "import time", "    title = str(time.time_ns())")

    def told(place: Place = strangers.place) -> str:
        return facts_of(installed_module("timed", place)).title

    first = told()
    assert told() == first
    assert len(list((strangers.data / FOLDER).iterdir())) == 1
    (strangers.folder / "stranger_timed.py").touch()
    second = told()
    assert second != first
    write_package(strangers.folder, "another-library", {})
    third = told()
    assert third != second, "it may depend on it"
    given = ChildHostSettings(module="timed", folders=(strangers.folder,))
    fourth = told(replace(strangers.place, hosts=(given,)))
    assert fourth != third, "the site gives it something else"
    for note in (strangers.data / FOLDER).iterdir():
        note.write_text("{")
    assert told() != fourth, "what cannot be read is asked again"


def test_weights_in_a_folder_that_the_site_gives_count(
    strangers: Installed, tmp_path: Path
) -> None:
    weights = tmp_path / "weights"
    weights.write_text("first")
    strangers.add("heavy", members=f"    weights = {str(weights)!r}")
    with pytest.raises(KeyError):
        installed_module("heavy", strangers.place)
    given = ChildHostSettings(module="heavy", folders=(tmp_path / "weights",))
    place = replace(strangers.place, hosts=(given,))
    before = facts_of(installed_module("heavy", place)).weights_sha256
    weights.write_text("other")
    assert facts_of(installed_module("heavy", place)).weights_sha256 != before


def test_a_problem_is_believed_for_an_hour_or_until_a_person_asks(strangers: Installed) -> None:
    gate = strangers.folder / "gate"
    strangers.add("gated", "open(__file__[:-17] + 'gate')")
    assert discover(strangers.place, ["gated"])[1]
    gate.touch()
    assert discover(strangers.place, ["gated"])[1], "nobody has asked it again"
    assert discover(strangers.place, ["gated"], anew=True)[1] == {}
    gate.unlink()
    assert discover(strangers.place, ["gated"], anew=True)[1] == {}, "it had no problem"
    (strangers.folder / "stranger_gated.py").touch()
    assert discover(strangers.place, ["gated"])[1]
    gate.touch()
    (note,) = (strangers.data / FOLDER).iterdir()
    noted = json.loads(note.read_text())
    note.write_text(json.dumps({**noted, "at": noted["at"] - BELIEVED_SECONDS}))
    assert discover(strangers.place, ["gated"])[1] == {}


def test_that_it_did_not_come_back_is_believed_for_minutes_only(strangers: Installed) -> None:
    """The machine may have been busy."""
    gate = strangers.folder / "gate"
    strangers.add("slow", "import pathlib\nwhile not pathlib.Path(GATE).exists(): pass")
    source = strangers.folder / "stranger_slow.py"
    source.write_text(source.read_text().replace("GATE", repr(str(gate))))
    place = replace(strangers.place, limits=Worker(timeout_seconds=1))
    assert "did not come back" in discover(place, ["slow"])[1]["slow"]
    gate.touch()
    assert discover(place, ["slow"])[1], "nobody has asked it again"
    (note,) = (strangers.data / FOLDER).iterdir()
    noted = json.loads(note.read_text())
    note.write_text(json.dumps({**noted, "at": noted["at"] - SILENCE_SECONDS}))
    assert discover(strangers.place, ["slow"])[1] == {}


def test_a_model_card_is_read_behind_the_walls(strangers: Installed) -> None:
    (strangers.folder / "card.md").write_text("# Card")
    strangers.add("carded", members=f"    card = {str(strangers.folder / 'card.md')!r}")
    strangers.add("curious", members="    card = 'DATA/hilum.db'")
    assert card_of(installed_module("carded", strangers.place)) == ("# Card", False)
    assert card_of(installed_module("curious", strangers.place)).text == ""


def test_only_its_own_code_judges_parameters(strangers: Installed) -> None:
    strangers.add(
        "chooses",
        """
        from pydantic import BaseModel, field_validator

        class Choice(BaseModel):
            threshold: float = 0.5

            @field_validator("threshold")
            @classmethod
            def even(cls, value):
                assert value != 13, "not on a Friday"
                return value
        """,
        "    parameters = Choice",
    )
    module = installed_module("chooses", strangers.place)
    assert issubclass(module, DescribedModule)
    assert module.described.parameters == {
        "threshold": {"default": 0.5, "title": "Threshold", "type": "number"}
    }
    require_parameters(module, {}, strangers.place)
    require_parameters(module, {"threshold": 1}, strangers.place)
    for given, said in (
        ({"threshold": "high"}, "parameter threshold: a number is needed"),
        ({"threshold": 13}, "not on a Friday"),
        ({"treshold": 1}, "did you mean 'threshold'"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            require_parameters(module, given, strangers.place)


OBJECTS = """
    needs = Input("MR", objection=lambda series: DEED)
"""


def decided(module: type, files: list[Path]) -> Run | NotApplicable:
    images = [Instance.read(path) for path in files]
    arrival = Arrival(images[0].study_uid)
    for image in images:
        arrival.add(image, at=0.0)
    decision = decide(arrival, inputs_of(module), Rule(module=module.name), now=math.inf)
    assert isinstance(decision, Run | NotApplicable)
    return decision


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        ('""', ""),
        ('f"it has {len(series.frames)} slices of {series.frames[0].size}"', "it has 4 slices of"),
        ('open("DATA/hilum.db")', "did not say .*tried to use a file that is not its own"),
        ("1 / 0", "did not say .*its function raised ZeroDivisionError in stranger_judge"),
        ("__import__('os').abort()", "did not say .*died"),
    ],
)
def test_its_function_that_may_object_is_asked_behind_the_walls(
    strangers: Installed, tmp_path: Path, deed: str, said: str
) -> None:
    strangers.add("judge", members=OBJECTS.replace("DEED", deed))
    module = installed_module("judge", strangers.place)
    files = write(mr_slices(count=4), tmp_path / "exam")
    decision = decided(module, files)
    assert isinstance(decision, NotApplicable if said else Run)
    assert re.search(said, " ".join(decision.selection.reasons)), decision.selection.reasons


def test_a_function_that_does_not_come_back_is_waited_for_a_few_times(
    strangers: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strangers.add("judge", members=OBJECTS.replace("DEED", "[0 for _ in iter(int, 1)]"))
    module = installed_module("judge", strangers.place)
    objection = inputs_of(module)["series"].objection
    assert isinstance(objection, WalledJudge)
    monkeypatch.setattr(judging, "SECONDS", 0.1)
    asked: list[str] = []
    ask = judging.ask_module

    def counting(name: str, *given: Any) -> Any:
        asked.append(name)
        return ask(name, *given)

    monkeypatch.setattr(judging, "ask_module", counting)
    for number in [*range(judging.MOST_SILENT + 2), 0]:
        files = write(mr_slices(str(number), count=4), tmp_path / f"exam{number}")
        assert "did not come back in 0.1 s" in " ".join(decided(module, files).selection.reasons)
    assert len(asked) == judging.MOST_SILENT


@pytest.mark.parametrize("deed", ["1 / 0", "[0 for _ in iter(int, 1)]"])
def test_a_series_that_it_fails_on_harms_no_other(
    strangers: Installed, tmp_path: Path, deed: str
) -> None:
    deed = f'{deed} if len(series.frames) == 4 else ""'
    strangers.add("judge", members=OBJECTS.replace("DEED", deed))
    module = installed_module("judge", strangers.place)
    bad = decided(module, write(mr_slices("bad", count=4), tmp_path / "bad"))
    assert "did not say whether it means this series" in " ".join(bad.selection.reasons)
    assert isinstance(decided(module, write(mr_slices("good", count=5), tmp_path / "good")), Run)


def test_corrected_data_are_judged_anew(strangers: Installed, tmp_path: Path) -> None:
    strangers.add("judge", members=OBJECTS.replace("DEED", "series.header.PatientSex"))
    module = installed_module("judge", strangers.place)
    for sex in "FM":
        slices = mr_slices(count=4)
        for image in slices:
            image.PatientSex = sex
        decision = decided(module, write(slices, tmp_path / "exam"))
        assert decision.reason.endswith(f": {sex}")


def test_where_no_process_can_be_started_that_is_no_fault_of_the_module(
    strangers: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    strangers.add("good")

    def full() -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    for call in ("hilum.hosts.reader.pair", "hilum.hosts.reader.os.pipe"):
        with monkeypatch.context() as patched:
            patched.setattr(call, full)
            for ask in (installed_module, required_module):
                with pytest.raises(MachineError, match="memory and files"):
                    ask("good", strangers.place)
    assert required_module("good", strangers.place).name == "good"


def test_what_is_installed_is_listed_once(
    strangers: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the start of a process, and for all modules that are looked at together."""
    for name in ("good", "other"):
        strangers.add(name)
    called: list[str] = []

    def counted(place: Any, name: str) -> None:
        inner = getattr(place, name)

        def counting(*given: Any, **named: Any) -> Any:
            called.append(name)
            return inner(*given, **named)

        monkeypatch.setattr(place, name, counting)

    counted(discovery, "points_of")
    counted(described, "_of_packages")
    assert {"good", "other"} <= discover(strangers.place)[0].keys()
    assert sorted(called) == ["_of_packages", "points_of"]
    called.clear()
    with closing(open_host(in_child("good"), strangers.place)) as host:
        host.start()
    assert called.count("points_of") == 1


def test_a_run_says_why_its_module_cannot_be_used_any_more(strangers: Installed) -> None:
    strangers.add("lacks", DEEDS["lacks"][0])
    with pytest.raises(ModuleError, match=r"module 'lacks' cannot be used: .*nowhere_to_be_found"):
        required_module("lacks", strangers.place)
    with pytest.raises(ModuleError, match="there is no module 'gone' any more"):
        required_module("gone", strangers.place)


def test_a_worker_begins_although_a_module_does_not(caplog: pytest.LogCaptureFixture) -> None:
    with gateway() as hall:
        start_modules(hall.flow)
    assert "module m does not start: there is no module 'm' any more" in caplog.text


def test_where_walls_are_missing_the_site_decides(
    strangers: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    strangers.add("good")
    monkeypatch.setattr(planning.files, "NEWEST_ABI", 0)
    _, problems = discover(strangers.place, ["good"])
    assert "no wall around files" in problems["good"]
    assert 'set walls = "best-effort" in its [[host]]' in problems["good"]
    given = ChildHostSettings(module="good", walls="best-effort")
    assert "good" in discover(replace(strangers.place, hosts=(given,)), ["good"])[0]


def test_commands_name_a_module_that_cannot_be_used(strangers: Installed) -> None:
    strangers.add("calls", DEEDS["calls"][0])
    config = strangers.data.parent / "hilum.toml"
    config.write_text(f"data = {str(strangers.data)!r}\n")
    for command in ("modules", "check"):
        shown = CliRunner().invoke(app, [command, "-c", str(config)])
        assert shown.exit_code == 0, shown.output
        assert "calls" in shown.output
        assert "open a network connection" in " ".join(shown.output.split())
    with pytest.raises(ConfigurationError, match="rule: module 'calls': the module tried to open"):
        check_rules(parse({"data": str(strangers.data), "rule": [{"module": "calls"}]}))


def test_a_model_for_a_module_of_others_is_looked_at_behind_the_walls(
    strangers: Installed, tmp_path: Path
) -> None:
    strangers.add(
        "takes",
        members="""
    @classmethod
    def with_model(cls, folder):
        if (folder / "hostile").exists():
            open("DATA/hilum.db")
        return type("Taken", (cls,), {"name": folder.name, "weights": folder / "card.toml"})
""",
    )
    strangers.add("alone")
    for name, base in (("mine", "takes"), ("hostile", "takes"), ("lone", "alone")):
        (tmp_path / "models" / name).mkdir(parents=True)
        card = f'module = "{base}"\nname = "{name}"\n'
        (tmp_path / "models" / name / "card.toml").write_text(card)
    (tmp_path / "models" / "hostile" / "hostile").touch()
    place = replace(strangers.place, models=tmp_path / "models")
    found, problems = discover(place)
    assert {"takes", "alone", "mine"} <= set(found)
    assert facts_of(found["mine"]).weights_sha256 != facts_of(found["takes"]).weights_sha256
    assert "stranger_takes" in problems["hostile"]
    assert "takes no model of yours: it has no with_model" in problems["lone"]


FORMAT = """
import tomllib
from hilum import Input, Note

class Lines:
    @classmethod
    def with_model(cls, folder):
        card = tomllib.loads((folder / "card.toml").read_text())
        if card["name"] == "hostile":
            open("DATA/hilum.db")
        members = {"name": card["name"], "version": "1", "needs": Input(card["modality"])}
        return type("OfLines", (cls,), {**members, "weights": folder / "card.toml"})

    def run(self, series):
        yield Note(f"{self.name} of {series.modality}")
"""


def test_a_format_of_another_package_is_loaded_behind_the_walls_too(
    strangers: Installed, tmp_path: Path
) -> None:
    source = FORMAT.replace("DATA", str(strangers.data))
    (strangers.folder / "stranger_lines.py").write_text(source)
    points = {"lines": "stranger_lines:Lines"}
    write_package(strangers.folder, "stranger_lines", points, FORMATS.group)
    for name in ("tidy", "hostile"):
        (tmp_path / "models" / name).mkdir(parents=True)
        card = f'module = "lines"\nname = "{name}"\nmodality = "MR"\n'
        (tmp_path / "models" / name / "card.toml").write_text(card)
    place = replace(strangers.place, models=tmp_path / "models")
    found, problems = discover(place, {"tidy", "hostile"})
    assert set(found) == {"tidy"}
    assert "tried to use a file that is not its own" in problems["hostile"]
    files = write_series(tmp_path / "exam", 3)
    asked = job_of(found["tidy"], files, tmp_path / "out")
    with closing(open_host(in_child("tidy"), place)) as host:
        host.run(asked)
    assert exchange.load(asked.out).notes[0].text == "tidy of MR"
