"""The usual host: warm, and unharmed by whatever a module does to its process."""

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pydicom
import pytest

from factory import mr_slices, write
from hilum.config.site import Worker
from hilum.dicom.parts import Part
from hilum.engine import exchange
from hilum.errors import ModuleCrashed, ModuleError
from hilum.hosts import Host, Job, Place, in_child, open_host
from hilum.module import facts_of, installed_module, installed_modules
from plugin import BRIGHT, install_moody, install_plugin
from radiographs import radiograph, saved, scene

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
        for name in os.listdir("/proc/self/fd"):
            number = int(name)
            try:
                if stat.S_ISSOCK(os.fstat(number).st_mode):
                    found = socket.socket(fileno=os.dup(number))
                    if found.type == socket.SOCK_SEQPACKET:
                        return found
            except OSError:
                pass  # it was that of the listing

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
            if mood == "twice":
                pipe().send(b'{"number": %d, "ended": "failed", "text": "lie"}' % self.runs)
            yield Note(f"run {self.runs}")
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


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    install_moody(tmp_path / "plugin", monkeypatch)
    host = child("moody", timeout_seconds=10, memory_mb=1024)
    yield host
    host.close()


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
    started = time.monotonic()
    with pytest.raises(ModuleCrashed, match="more than 10 s; killed"):
        host.run(job(tmp_path, "hangs", "hangs"))
    assert time.monotonic() - started < 38  # the start of a new child included

    host.run(job(tmp_path, "calm after all"))
    assert "run 1 in" in exchange.load(tmp_path / "out-calm after all").notes[0].text


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
    large = (2000, 2000)  # more than what is left over
    host.run(job(tmp_path, "volume after all", "reads counts", shape=large))
    found = exchange.load(tmp_path / "out-volume after all")
    assert found.refusal is None
    assert "run 1 in" in found.notes[0].text


def test_an_answer_is_never_taken_for_that_of_another_run(host: Host, tmp_path: Path) -> None:
    def not_known() -> bool:
        raise LookupError("the records do not answer")

    with pytest.raises(LookupError):
        host.run(job(tmp_path, "hangs"), not_known)
    host.run(job(tmp_path, "calm"))
    assert exchange.load(tmp_path / "out-calm").refusal is None


def test_a_module_that_lies_to_the_worker_harms_its_own_study_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, LIAR, "liar")
    host = child("liar", timeout_seconds=30)
    try:
        for mood, words in (
            ("pickles", "gave an answer that is none; a fresh process failed, too"),
            ("early", "gave an answer to another run; a fresh process failed, too"),
            ("empty", "left cannot be read: .*; a fresh process failed, too"),
            ("twice", "^lie$"),
        ):
            with pytest.raises(ModuleError, match=words):
                host.run(job(tmp_path, mood, mood, "liar"))
            assert not (tmp_path / f"out-{mood}" / exchange.FINDINGS).exists()
        host.run(job(tmp_path, "calm", "calm", "liar"))  # the rest of its words is not heard
    finally:
        host.close()
    assert exchange.load(tmp_path / "out-calm").notes[0].text == "run 1"


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
    with pytest.raises(SystemExit):
        installed_modules()


def test_a_module_is_found_whatever_its_entry_point_is_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path, monkeypatch, BRIGHT, "called-otherwise", "BrightVolume")
    assert installed_module("bright-volume").name == "bright-volume"
    with pytest.raises(KeyError):
        installed_module("called-otherwise")
