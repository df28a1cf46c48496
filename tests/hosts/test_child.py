"""The usual host: warm, and unharmed by whatever a module does to its process."""

import errno
import os
import re
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pydicom
import pytest

from factory import mr_slices, write
from hilum.config.site import Worker
from hilum.dicom.parts import Part
from hilum.engine import exchange
from hilum.errors import ModuleCrashed, ModuleError
from hilum.findings import Findings, Note
from hilum.hosts import Host, Job, Place, in_child, open_host
from hilum.hosts.child import ChildHost, ChildHostSettings
from hilum.hosts.discovery import installed_module, installed_modules
from hilum.hosts.reaching import files_of, is_ours
from hilum.hosts.scratch import empty, make_scratch, remove
from hilum.hosts.walls import files
from hilum.module import facts_of
from hilum.processes.process import descendants, fork_server
from hilum.service.roles import PROCESSES
from patience import PATIENCE, until
from plugin import BRIGHT, install_moody, install_plugin
from radiographs import radiograph, saved, scene

USING = """
    from hilum import FindingsOf, Input, Note

    class Module:
        name, version = "using", "1"
        needs = {"head": Input("MR"), "part": FindingsOf("other")}

        def run(self, head, part):
            files = [path.read_bytes()[128:132] for path in head.folder().iterdir()]
            yield Note(f"{part.notes[0].text}{files.count(b'DICM')} files of {head.description}")
"""
BROKEN = """
    from hilum import Input

    class Module:
        name, version, needs = "broken", "1", Input("MR")

        def __init__(self):
            raise RuntimeError("no licence")

        def run(self, series):
            return ()
"""
OWN_LINES = """
    import json
    from hilum import Input

    class Module:
        name, version, needs = "moody", "1", Input("MR")

        def run(self, series):
            mood = series.description.split()[-1]
            if mood == "raise":
                raise ValueError("Marker^Patient is broken")
            if mood == "shape":
                series.volume().with_array(series.volume().array[1:])
            yield "".join(map(self.helper, [1]))

        def helper(self, value):
            return int.from_bytes(json.loads("{"), "big")  # in a library again
"""
LIAR = """
    import os, socket, stat
    from hilum import Input, Note

    def pipe():
        for number in range(256):
            try:
                if stat.S_ISSOCK(os.fstat(number).st_mode):
                    found = socket.socket(fileno=os.dup(number))
                    if found.type == socket.SOCK_SEQPACKET:
                        return found
            except OSError:
                pass  # there is none of this number

    class Module:
        name, version, needs = "liar", "1", Input("MR")
        runs = 0

        def run(self, series):
            self.runs += 1
            mood = series.description.split()[-1]
            if mood == "pickles":
                pipe().send(b"\\x80\\x04.")
            if mood == "early":
                pipe().send(b'{"number": 9, "ended": "well", "length": 5}')
            if mood == "empty":
                pipe().send(b'{"number": %d, "ended": "well", "length": 5}' % self.runs)
            if mood == "asks":
                pipe().send(b'{"number": %d, "ended": "asks", "length": 5}' % self.runs)
            if mood == "full":
                pipe().send(b'{"number": %d, "ended": "no room"}' % self.runs)
            if mood == "lines":
                pipe().send(b'{"number": %d, "ended": "failed", "text": "a\\\\nb"}' % self.runs)
            if mood == "twice":
                pipe().send(b'{"number": %d, "ended": "failed", "text": "lie"}' % self.runs)
            yield Note(f"run {self.runs}")
"""
CURIOUS = """
    import os, socket, subprocess
    from pathlib import Path
    from hilum import Input, Note

    class Module:
        name, version, needs = "curious", "1", Input("MR")

        def run(self, series):
            tell = getattr(self, series.description.split()[-1])
            yield Note(f"got: {tell(Path(__file__).parent)}")

        def calls(self, home):
            with socket.create_connection(("127.0.0.1", int((home / "port").read_text()))) as other:
                return other.recv(9).decode()

        def leaves(self, home):
            file = Path(os.environ["TMPDIR"]) / "left"
            was_there = file.exists()
            file.write_text("Marker^Patient")
            return was_there

        def looks(self, home):
            return (home.parent / "data" / "hilum.db").read_text()

        def names(self, home):
            return sorted(os.environ)

        def prints(self, home):
            print("Marker^Patient", flush=True)
            os.abort()

        def who(self, home):
            return os.getpid()

        def starts(self, home):
            return subprocess.check_output(["/bin/echo", "hi"]).decode()

    class Starter(Module):
        name, processes = "starter", True
"""
FILMS = """
    from hilum import Films

    class Module:
        name, version, needs = "broken", "1", Films()

        def run(self, films):
            raise ValueError
"""


def child(module: str, **limits: Any) -> Host:
    return open_host(in_child(module), Place(Worker(**limits)))


def moody(plugin: Path, seconds: float) -> Host:
    limits = Worker(timeout_seconds=seconds, memory_mb=512)
    return open_host(in_child("moody", folders=[plugin]), Place(limits))


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    install_moody(tmp_path / "plugin", monkeypatch)
    return tmp_path / "plugin"


@pytest.fixture
def host(plugin: Path) -> Iterator[Host]:
    with closing(moody(plugin, PATIENCE)) as host:
        yield host


def job(
    tmp_path: Path,
    name: str,
    mood: str = "counts",
    module: str = "moody",
    shape: tuple[int, int] = (48, 36),
) -> Job:
    slices = mr_slices(name, count=3, shape=shape, description=f"series {mood}")
    parts = {"series": [Part(file) for file in write(slices, tmp_path / name)]}
    return Job(parts, tmp_path / f"out-{name}", weights(module))


def weights(module: str) -> str:
    return facts_of(installed_modules()[module]).weights_sha256


def test_other_weights_than_the_workitem_names_are_not_used(host: Host, tmp_path: Path) -> None:
    asked = replace(job(tmp_path, "calm"), weights_sha256="0" * 64)
    with pytest.raises(ModuleError, match="replaced while Hilum ran"):
        host.run(asked)
    assert not asked.out.exists()


def test_stays_warm_and_survives_every_mood(host: Host, tmp_path: Path) -> None:
    host.run(job(tmp_path, "calm"))
    host.run(job(tmp_path, "calm again"))
    first = exchange.load(tmp_path / "out-calm").notes[0].text
    second = exchange.load(tmp_path / "out-calm again").notes[0].text
    assert first.startswith("run 1 in")
    assert second == first.replace("run 1", "run 2")

    with pytest.raises(ModuleError, match=r"raised ValueError in moody.py, line \d+") as error:
        host.run(job(tmp_path, "raises", "raises"))
    assert "Marker" not in str(error.value)
    assert "Marker" in (tmp_path / "out-raises" / "traceback.txt").read_text()
    with pytest.raises(ModuleError, match="MemoryError"):
        host.run(job(tmp_path, "eats", "eats"))

    with pytest.raises(ModuleCrashed, match="exit code -11"):
        host.run(job(tmp_path, "segfaults", "segfaults"))

    host.run(job(tmp_path, "calm after all"))
    assert "run 1 in" in exchange.load(tmp_path / "out-calm after all").notes[0].text


def test_a_module_that_hangs_is_killed_and_the_next_run_is_in_a_new_process(
    plugin: Path, tmp_path: Path
) -> None:
    with closing(moody(plugin, 3)) as host:
        with pytest.raises(ModuleCrashed, match="more than 3 s; killed"):
            host.run(job(tmp_path, "hangs", "hangs"))
        where = (tmp_path / "out-hangs" / "traceback.txt").read_text()
        assert re.search(r'moody\.py", line \d+ in ', where), where
        host.run(job(tmp_path, "calm"))
    assert "run 1 in" in exchange.load(tmp_path / "out-calm").notes[0].text


@pytest.mark.parametrize("installed", ["", "lib/site-packages"])
@pytest.mark.parametrize(
    ("mood", "words", "line"),
    [
        ("raise", "raised ValueError in", 'raise ValueError("Marker^Patient is broken")'),
        ("shape", "raised ValueError in", "series.volume().with_array(series.volume().array[1:])"),
        ("library", "raised JSONDecodeError in", 'return int.from_bytes(json.loads("{"), "big")'),
    ],
)
def test_the_line_that_is_named_is_the_module_s_own(
    tmp_path: Path, monkeypatch, mood: str, words: str, line: str, installed: str
) -> None:
    """Not that of a library which it called, also if the module is installed as they are."""
    install_plugin(tmp_path / installed / "p", monkeypatch, OWN_LINES, "moody")
    host = child("moody", timeout_seconds=30, memory_mb=4096)
    try:
        with pytest.raises(ModuleError, match=words) as raised:
            host.run(job(tmp_path, mood, mood))
    finally:
        host.close()
    place = re.search(r"in plugin_moody\.py, line (\d+)$", str(raised.value))
    assert place, str(raised.value)
    source = (tmp_path / installed / "p" / "plugin_moody.py").read_text().splitlines()
    assert source[int(place[1]) - 1].strip().partition("  #")[0] == line


def test_the_child_draws_films_even_for_a_module_that_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, FILMS, "broken")
    host = child("broken")
    path = saved(radiograph(scene()), tmp_path / "film.dcm")
    with pytest.raises(ModuleError, match="ValueError"):
        host.run(Job({"series": [Part(path)]}, tmp_path / "out", weights("broken")))
    host.close()
    (picture,) = exchange.load_pictures(tmp_path / "out").values()
    assert picture.shape == (900, 750)


def test_findings_of_another_module_and_files_come_through_the_walls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, USING, "using")
    exchange.save(Findings((Note("seen in "),)), tmp_path / "other")
    given = [Part(tmp_path / "other" / name) for name in (exchange.FINDINGS, exchange.ARRAYS)]
    asked = job(tmp_path, "used", "head", "using")
    asked = replace(asked, inputs={"head": asked.inputs["series"], "part": given})
    with closing(child("using", memory_mb=512)) as host:
        host.run(asked)
    assert exchange.load(asked.out).notes[0].text == "seen in 3 files of series head"


def test_a_module_that_does_not_load_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BROKEN, "broken")
    host = child("broken")
    with pytest.raises(ModuleError, match=r"does not load: RuntimeError in plugin_broken\.py"):
        host.run(job(tmp_path, "calm", module="broken"))
    host.close()


def test_a_film_after_one_that_took_all_memory_is_analysed_in_a_fresh_process(
    host: Host, tmp_path: Path
) -> None:
    host.run(job(tmp_path, "calm"))
    host.run(job(tmp_path, "hoards", "hoards counts"))
    large = (1000, 1000)  # more than what is left over
    host.run(job(tmp_path, "volume after all", "reads counts", shape=large))
    found = exchange.load(tmp_path / "out-volume after all")
    assert found.refusal is None
    assert "run 1 in" in found.notes[0].text


def test_an_answer_is_never_taken_for_that_of_another_run(host: Host, tmp_path: Path) -> None:
    def not_known() -> bool:
        raise LookupError("the records do not answer")

    with pytest.raises(LookupError):
        host.run(job(tmp_path, "hangs", "hangs"), not_known)
    host.run(job(tmp_path, "calm"))
    assert exchange.load(tmp_path / "out-calm").refusal is None


def test_a_module_that_lies_to_the_worker_harms_its_own_study_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, LIAR, "liar")
    host = child("liar", timeout_seconds=30)
    try:
        for mood, words in (
            ("pickles", "gave something that is no answer; a fresh process failed, too"),
            ("early", "gave an answer to another run; a fresh process failed, too"),
            ("empty", "left cannot be read: .*; a fresh process failed, too"),
            ("asks", "asks for a server, and has none; a fresh process failed, too"),
            ("full", "the disk is full, and it is not; a fresh process failed, too"),
            ("lines", "^a b$"),
            ("twice", "^lie$"),
        ):
            with pytest.raises(ModuleError, match=words):
                host.run(job(tmp_path, mood, mood, "liar"))
            assert not (tmp_path / f"out-{mood}" / exchange.FINDINGS).exists()
        host.run(job(tmp_path, "calm", "calm", "liar"))  # the rest of its words is not heard
    finally:
        host.close()
    assert exchange.load(tmp_path / "out-calm").notes[0].text == "run 1"


@pytest.fixture
def curious(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ChildHost]]:
    """Opens hosts of a module that tries to get out as its series asks for."""
    install_plugin(tmp_path / "plugin", monkeypatch, CURIOUS, "curious")
    monkeypatch.setenv("HILUM_SECRET", "secret")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "hilum.db").write_text("records")
    opened: list[ChildHost] = []

    def opening(abi: int = files.NEWEST_ABI, **settings: Any) -> ChildHost:
        place = Place(Worker(timeout_seconds=30, memory_mb=1024), data=tmp_path / "data")
        opened.append(ChildHost(ChildHostSettings(module="curious", **settings), place, abi))
        return opened[-1]

    yield opening
    for host in opened:
        host.close()


def told(host: ChildHost, tmp_path: Path, mood: str) -> str:
    host.run(job(tmp_path, mood, mood, "curious"))
    return exchange.load(tmp_path / f"out-{mood}").notes[0].text


def test_what_a_module_tries_beyond_its_walls_is_named(
    curious: Callable[..., ChildHost], tmp_path: Path
) -> None:
    host = curious()
    (tmp_path / "plugin" / "port").write_text("1")
    for mood, words in (
        ("calls", r"tried to open a network connection, .*line 14\).*set network = true"),
        ("looks", r"tried to use a file that is not its own, .*line 24\).*by folders in"),
        ("starts", r"tried to start a process, .*line 37\).*says `processes = True`"),
    ):
        with pytest.raises(ModuleError, match=words):
            told(host, tmp_path, mood)
    names = told(host, tmp_path, "names")
    assert "HILUM_SECRET" not in names
    assert "OMP_WAIT_POLICY" in names, "or threads of PyTorch wait for each other by working"
    assert told(host, tmp_path, "leaves") == "got: False"
    assert told(host, tmp_path, "leaves") == "got: False"  # nothing of a run meets the next
    with pytest.raises(ModuleCrashed, match="exit code -6"):
        told(host, tmp_path, "prints")
    assert "Marker" in (tmp_path / "out-prints" / "traceback.txt").read_text()


def test_what_the_site_gives_a_module_may_reach(
    curious: Callable[..., ChildHost], tmp_path: Path
) -> None:
    host = curious(network=True, folders=[tmp_path / "data"])
    assert told(host, tmp_path, "looks") == "got: records"
    with socket.create_server(("127.0.0.1", 0)) as server:
        (tmp_path / "plugin" / "port").write_text(str(server.getsockname()[1]))
        answering = threading.Thread(target=lambda: server.accept()[0].send(b"welcome"))
        answering.start()
        assert told(host, tmp_path, "calls") == "got: welcome"
        answering.join()


def test_a_fresh_process_knows_nothing_of_other_studies(
    curious: Callable[..., ChildHost], tmp_path: Path
) -> None:
    host = curious(fresh=True)
    first = told(host, tmp_path, "who")
    assert told(host, tmp_path, "who") != first


def test_a_module_that_says_so_may_start_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, CURIOUS, "starter", "Starter")
    host = child("starter", memory_mb=1024)
    try:
        host.run(job(tmp_path, "starts", "starts", "starter"))
    finally:
        host.close()
    assert exchange.load(tmp_path / "out-starts").notes[0].text.startswith("got: hi")


def test_without_a_wall_a_module_of_others_does_not_start_unless_the_site_takes_it(
    curious: Callable[..., ChildHost], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(ModuleError, match=r"does not start: no wall around files .*best-effort"):
        told(curious(abi=0), tmp_path, "names")
    assert told(curious(abi=0, walls="best-effort"), tmp_path, "looks") == "got: records"
    assert "curious runs without a wall: no wall around files" in caplog.text
    assert is_ours(installed_module("chest-radiograph"))  # which starts in any case
    assert not is_ours(installed_module("curious"))


def test_the_data_folder_is_never_among_what_a_module_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where Hilum's own folder, or one that Python looks into, holds it."""
    install_plugin(tmp_path / "plugin", monkeypatch, CURIOUS, "curious")
    data = tmp_path / "plugin" / "deep" / "data"
    for folder in (data, data.parent / "other"):
        folder.mkdir(parents=True)
    found = files_of("plugin_curious", (), None, data)
    assert tmp_path / "plugin" / "plugin_curious.py" in found
    assert data.parent / "other" in found
    assert not any(data.is_relative_to(path) or path.is_relative_to(data) for path in found)


def test_no_link_leads_to_the_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, CURIOUS, "curious")
    site, other = tmp_path / "plugin", tmp_path / "other"
    (site / "data" / "inbox").mkdir(parents=True)
    other.mkdir()
    links = {"same": site / "data", "inside": site / "data" / "inbox", "around": tmp_path}
    for name, target in (links | {"harmless": other}).items():
        (site / name).symlink_to(target)
    found = files_of("plugin_curious", (), None, site / "data")
    assert {name for name in links if site / name in found} == set()
    assert site / "harmless" in found


def test_a_process_that_cannot_be_started_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_size: int) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("hilum.hosts.child_process.Shelf", full)
    host = ChildHost(ChildHostSettings(module="chest-radiograph"), Place())
    with pytest.raises(OSError, match="open files"):
        host.start()
    assert list(tmp_path.iterdir()) == []


def test_folders_that_a_killed_worker_has_left_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    mine = make_scratch()
    left = tmp_path / mine.name.replace(f"-{os.getpid()}-", "-999999999-")
    (left / "deep").mkdir(parents=True)
    (mine / "link").symlink_to(tmp_path)
    (mine / "deep").mkdir()
    second = make_scratch()
    assert not left.exists()
    assert mine.exists(), "that of a living worker stays"
    empty(mine)
    assert list(mine.iterdir()) == []
    remove(mine)
    remove(second)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_cleaned_up_meanwhile_costs_no_run(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    for name in ("calm", "calm again", "at last"):
        host.run(job(tmp_path, name))
        said = exchange.load(tmp_path / f"out-{name}").notes[0].text
        assert said.startswith("run 1 in"), "in a fresh process, whose walls let it into its folder"
        (scratch,) = (tmp_path / "temporary").glob("hilum-module-*")
        remove(scratch)
    empty(scratch)  # as it does where it was removed during a run


def _work(asked: Job, folder: Path, mind: Connection) -> None:
    """Be a worker, forked as `hilum serve` forks it, whose module never comes back."""
    place = Place(Worker(memory_mb=1024))
    host = open_host(in_child("moody", folders=[folder]), place)
    host.start()
    mind.send(sorted(descendants(os.getpid()).values()))
    host.run(asked)


def test_a_module_dies_with_its_worker_and_comes_from_the_same_fork_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    diary = install_moody(tmp_path / "plugin", monkeypatch)
    mind, theirs = Pipe()
    asked = job(tmp_path, "hangs", "hangs")
    worker = fork_server(PROCESSES).Process(
        target=_work, args=(asked, tmp_path / "plugin", theirs), name="hilum worker"
    )
    worker.start()
    theirs.close()
    assert mind.recv() == [], "no fork server of its own"
    until(diary.exists, "the run")

    def modules() -> list[int]:
        return [pid for pid, name in descendants(os.getpid()).items() if name == "module moody"]

    assert len(modules()) == 1
    worker.kill()
    worker.join()
    until(lambda: not modules(), "the end of the module")


def test_what_the_machine_lacks_twice_is_a_failure_and_no_refusal(
    host: Host, tmp_path: Path
) -> None:
    gone = job(tmp_path, "calm")
    gone.inputs["series"][1].path.unlink()
    with pytest.raises(ModuleCrashed, match="a fresh process failed, too"):
        host.run(gone)
    assert not (gone.out / exchange.FINDINGS).exists()


def test_broken_pixels_are_a_refusal_that_names_the_image(host: Host, tmp_path: Path) -> None:
    asked = job(tmp_path, "volume", "calm")
    dataset = pydicom.dcmread(asked.inputs["series"][1].path)
    dataset.PixelData = dataset.PixelData[:100]
    dataset.save_as(asked.inputs["series"][1].path)
    host.run(asked)
    refusal = exchange.load(asked.out).refusal
    assert refusal is not None
    assert f"image {dataset.InstanceNumber}" in refusal.text
    assert "PixelData" in refusal.text


def test_the_child_loads_no_other_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_plugin(tmp_path / "one", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    install_plugin(tmp_path / "other", monkeypatch, "raise SystemExit('loaded')", "other")
    assert installed_module("bright-volume").name == "bright-volume"
    with pytest.raises(KeyError):
        installed_module("other")
