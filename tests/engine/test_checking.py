"""A finding that is not about its input ends the run, with its number, its name and its line."""

import re
import textwrap
from pathlib import Path

import pytest

from factory import mr_slices, write
from hilum.config.site import Worker
from hilum.dicom.film import Film
from hilum.dicom.instance import Instance
from hilum.dicom.parts import Part
from hilum.dicom.series import Series
from hilum.engine.checking import checked
from hilum.errors import FindingError, ModuleError
from hilum.hosts import Job, Place, in_child, open_host
from hilum.hosts.discovery import installed_modules
from hilum.module import facts_of
from plugin import install_plugin

HEAD = """
    import numpy as np
    from highdicom import Volume
    from hilum import HeatMap, Measurement, Note, Refusal, Segment, codes

    def segment(mask, label="Bright"):
        return Segment(mask, codes.BRAIN, label)
"""
RUN = """
    def run(series):
        volume = series.volume()
        bright = volume.with_array(volume.array > np.mean(volume.array))
        first = segment(bright)
        yield first
        yield Measurement(codes.VOLUME, np.float32(first.volume_ml), codes.MILLILITRE, of=first)
"""
NUMBER = "yield Measurement(codes.VOLUME, float('nan'), codes.MILLILITRE)"
NOT_ON = "the mask of the segment 'Small'"


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Series:
    files = write(mr_slices(count=4), tmp_path_factory.mktemp("exam"))
    return Series.of([Instance.read(path) for path in files])


def module(tmp_path: Path, source: str) -> dict:
    """The names in a module's file with `source` after `HEAD`."""
    path = tmp_path / "author.py"
    path.write_text(textwrap.dedent(source))
    names: dict = {}
    exec(compile(path.read_text(), path, "exec"), names)
    return names


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (NUMBER, "the value of the measurement 'Volume' is nan, not a finite number"),
        ("yield segment(bright[1:], 'Small')", f"{NOT_ON} has 3 x "),
        ("yield segment(bright[:, 1:], 'Small')", NOT_ON),
        ("yield segment(bright.flip_spatial(0), 'Small')", f"{NOT_ON} lies "),
        ("yield segment(bright.permute_spatial_axes((0, 2, 1)), 'Small')", NOT_ON),
        ("yield segment(Volume(bright.array, np.eye(4), 'PATIENT'), 'Small')", f"{NOT_ON} lies "),
        (
            "yield Note('x', image='1.2.3')",
            "the image of this Note, 1.2.3, is not among the input's images",
        ),
        ("yield HeatMap(np.eye(3, dtype=np.float32), 'Heat', '1.2')", "the image of this HeatMap"),
        (
            "yield Measurement(codes.VOLUME, 1, codes.MILLILITRE, of=segment(bright, 'Small'))",
            "it is of the segment 'Small', which was not yielded before it",
        ),
        ("yield 'a text'", "str is no finding"),
        ("yield None", "NoneType is no finding"),
        ("yield from [segment(bright[1:], 'Small')]", NOT_ON),
        ("yield from more(bright)", NOT_ON),
    ],
)
def test_the_failure_names_finding_and_line(
    tmp_path: Path, series: Series, line: str, words: str
) -> None:
    more = """
    def more(mask):
        yield segment(mask[1:], 'Small')
"""
    source = f"{HEAD}{more}{RUN}        {line}\n"
    run = module(tmp_path, source)["run"]
    with pytest.raises(FindingError) as raised:
        checked(lambda: run(series), (series,))
    text = str(raised.value)
    assert text.startswith("finding 3: ")
    assert words in text
    place = re.search(r"\(author\.py, line (\d+)\)$", text)
    assert place, text
    at = (tmp_path / "author.py").read_text().splitlines()[int(place[1]) - 1].strip()
    assert at == ("yield segment(mask[1:], 'Small')" if "more" in line else line)


@pytest.mark.parametrize(
    ("given", "words"), [(None, "run gives NoneType; it must yield findings"), (3, "run gives int")]
)
def test_a_run_without_findings_is_named(series: Series, given: object, words: str) -> None:
    with pytest.raises(FindingError, match=f"finding 1: {words}"):
        checked(lambda: given, (series,))  # type: ignore[arg-type,return-value]


def test_a_list_is_as_good_as_a_generator(tmp_path: Path, series: Series) -> None:
    source = f"{HEAD}\n    def run(series):\n        return [Note('a'), Note('')]\n"
    run = module(tmp_path, source)["run"]
    with pytest.raises(FindingError, match=r"the text of a note is empty \(author.py, line 10\)"):
        checked(lambda: run(series), (series,))


def test_what_is_right_passes_and_an_empty_segment_is_a_finding(
    tmp_path: Path, series: Series
) -> None:
    nothing = "        yield segment(volume.with_array(np.zeros(volume.array.shape, bool)), 'None')"
    uid = series.instances[2].sop_instance_uid
    source = f"{HEAD}{RUN}{nothing}\n        yield Note('this one', image='{uid}')\n"
    found = checked(lambda: module(tmp_path, source)["run"](series), (series,))
    assert [type(each).__name__ for each in found.items] == [
        *("Segment", "Measurement", "Segment", "Note")
    ]
    assert isinstance(found.measurements[0].value, float)
    assert found.segments[1].volume_ml == 0


def test_films_have_no_grid(tmp_path: Path, series: Series) -> None:
    run = module(tmp_path, f"{HEAD}{RUN}")["run"]
    films = tuple(map(Film, series.instances))
    with pytest.raises(FindingError, match="lies on no grid: the module is given films"):
        checked(lambda: run(series), (films,))


def test_the_workitem_fails_with_these_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = """
    from hilum import Input, Measurement, codes

    class Module:
        name, version = "wrong", "1"
        needs = Input(modality="MR")

        def run(self, series):
            yield Measurement(codes.VOLUME, float("inf"), codes.MILLILITRE)
"""
    install_plugin(tmp_path / "plugin", monkeypatch, source, "wrong")
    files = write(mr_slices(count=3), tmp_path / "exam")
    weights = facts_of(installed_modules()["wrong"]).weights_sha256
    host = open_host(in_child("wrong"), Place(Worker()))
    try:
        with pytest.raises(ModuleError) as raised:
            host.run(Job({"series": [Part(file) for file in files]}, tmp_path / "out", weights))
    finally:
        host.close()
    assert str(raised.value) == (
        "the module raised FindingError: finding 1: the value of the measurement 'Volume' is inf,"
        " not a finite number (plugin_wrong.py, line 9)"
    )
    assert "FindingError" in (tmp_path / "out" / "traceback.txt").read_text()
