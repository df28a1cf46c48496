"""What a module imports in its environment says the same as what it would import from Hilum."""

import mmap
import re
import shlex
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import fields
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from typer.testing import CliRunner

import hilum.findings
import hilum_module
from hilum.cli import app
from hilum.dicom import codes
from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.engine import exchange
from hilum.errors import ConfigurationError
from hilum.hosts.shelf import Letter, Shelf, put
from hilum.installing.wheels import Project
from hilum.module import Films, Input, Resources
from hilum.testing import check_module, write_series
from hilum_module import HeatMap, Measurement, Note, Refusal, Segment, Volume, letters
from hilum_module.course import Earlier
from hilum_module.findings import Finding, FindingError
from hilum_module.serving import described
from hilum_module.storing import KINDS, as_item

from .kinds import kinds_of_ours

AFFINE = np.diag([2.0, 1.0, 0.5, 1.0])


def test_the_codes_are_those_of_hilum() -> None:
    all_of_it = vars(hilum_module.codes).items()
    names = [name for name, value in all_of_it if isinstance(value, hilum_module.Code)]
    assert names
    for name in names:
        ours = getattr(codes, name)
        theirs = getattr(hilum_module.codes, name)
        assert (ours.value, ours.scheme_designator, ours.meaning) == tuple(theirs)


PARTS = (hilum_module.Label, hilum_module.Curve, hilum_module.Score, Earlier)


@pytest.mark.parametrize("kind", [*KINDS.values(), *PARTS])
def test_the_fields_are_those_of_hilum(kind: type[Finding]) -> None:
    ours = {field.name for field in fields(getattr(hilum.findings, kind.__name__))}
    assert {field.name for field in fields(kind)} == ours


def test_an_input_is_one_of_hilum() -> None:
    theirs, ours = vars(hilum_module.Input("MR")), vars(Input("MR"))
    assert theirs == ours
    assert vars(hilum_module.Films()) == vars(Films())
    assert vars(hilum_module.Resources()) == vars(Resources())


def test_findings_arrive_as_they_were_given() -> None:
    mask = np.zeros((4, 5, 6), bool)
    mask[1:3, 2, 1:5] = True
    segment = Segment(
        Volume(mask, AFFINE, "1.2.3"), hilum_module.codes.BRAIN, "Part", colour=(1, 2, 3)
    )
    number = np.float32(segment.volume_ml)
    given: list[Any] = [
        segment,
        Measurement(hilum_module.codes.VOLUME, number, hilum_module.codes.MILLILITRE, segment),
        Note("Blurred", caution=True),
        Refusal("dark", "it is dark"),
    ]
    arrays: dict[str, np.ndarray] = {}
    items = [as_item(finding, given[:place], arrays) for place, finding in enumerate(given)]
    shelf = Shelf(1 << 20)
    with mmap.mmap(shelf.descriptor, 0) as memory:
        length = letters.put(memory, items, arrays)
    letter = shelf.take(length)
    shelf.close()
    found, measured, note, refusal = exchange.judged(letter.items, letter.arrays, 1 << 20).items
    assert np.array_equal(found.mask.array, mask)
    assert found.volume_ml == segment.volume_ml == pytest.approx(0.008)
    assert measured.of is found
    assert (note.caution, refusal.code) == (True, "dark")


class Half:
    """Is given what another module has found."""

    name, version = "half", "1"
    needs = {  # noqa: RUF012
        "head": hilum_module.Input("MR"),
        "part": hilum_module.FindingsOf("whole", optional=True),
    }

    def run(self, head: Any, part: Any) -> Iterator[Any]:
        if part is None:
            yield Note("alone")
            return
        [segment], [measured] = part.segments, part.measurements
        assert measured.of is segment
        yield Measurement(measured.code, measured.value / segment.volume_ml, measured.unit)


def test_findings_of_another_module_arrive_as_they_were_given(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    volume = Series.of([Instance.read(path) for path in files]).volume()
    whole = hilum.findings.Segment(
        volume.with_array(volume.array > np.mean(volume.array)), codes.BRAIN, "Whole"
    )
    twice = hilum.findings.Measurement(codes.VOLUME, 2 * whole.volume_ml, codes.MILLILITRE, whole)
    given = hilum.findings.Findings((hilum.findings.Note("x"), whole, twice))
    module: Any = Half
    [half] = check_module(module, files, {"part": given}).measurements
    assert half.value == pytest.approx(2)
    assert [note.text for note in check_module(module, files).notes] == ["alone"]
    told = described(Half())
    assert told["findings"]["part"] == {"module": "whole", "on": "", "optional": True}


class Picky:
    """Means a series by its pixels."""

    name, version = "picky", "1"
    needs = hilum_module.Input("MR", objection=lambda series: _shape(series.volume()))

    def run(self, series: Any) -> Iterator[Any]:
        yield Note(series.uid)


def _shape(volume: Volume) -> str:
    return "" if volume.array.shape[1] == 24 else f"it has {volume.array.shape[1]} rows"


def test_the_kit_asks_its_function_that_may_object(tmp_path: Path) -> None:
    module: Any = Picky
    assert check_module(module, write_series(tmp_path / "good")).notes
    with pytest.raises(AssertionError, match="it has 30 rows"):
        check_module(module, write_series(tmp_path / "bad", shape=(30, 20)))


class Every:
    """Yields one finding of each kind that needs no film."""

    name, version = "every", "1"
    needs = hilum_module.Input("MR")

    def run(self, series: Any) -> Iterator[Any]:
        volume, own = series.volume(), hilum_module
        place = tuple(volume.affine[:3, 3])
        other, third = (tuple(volume.affine[:3] @ [n, 3, 2 + n, 1]) for n in (1, 2))
        lines = (own.Label(1, own.codes.BRAIN, "One"), own.Label(2, own.codes.LUNG, "Two"))
        bright = volume.array > np.mean(volume.array)
        found = own.LabelMap(volume.with_array(bright.astype(int) + 1), lines)
        yield found
        two = found.segment(2)
        yield Measurement(own.codes.VOLUME, two.volume_ml, own.codes.MILLILITRE, two)
        yield own.ParametricMap(volume, own.codes.VOLUME, own.codes.NO_UNITS, "Brightness")
        yield own.Point(place, own.codes.BRAIN, "Corner")
        yield own.Box((place, other), own.codes.BRAIN, "Voxel")
        yield own.Length((place, other), "Way")
        yield own.Angle((place, other, third), "Turn")
        yield own.Table("Sizes", ("which", "how large"), (("one", "2 mm"),))
        yield own.Plot("Wash-in", "s", "a.u.", (own.Curve("Left", (0, 1, 2), (0.5, 2, 1)),))
        yield own.KeyImage(series.images[1], "the second one")
        yield own.Draft("No change.")
        yield own.Urgency("it is urgent")
        yield own.Drawing(np.zeros((4, 5, 3), np.uint8), "Black")


class Given(Every):
    """Is given them, and yields them again."""

    needs = {  # noqa: RUF012
        "head": hilum_module.Input("MR"),
        "all": hilum_module.FindingsOf("every"),
    }

    def run(self, head: Any, all: Any) -> Iterator[Any]:
        yield from all.items


def test_every_kind_of_finding_goes_there_and_back(tmp_path: Path) -> None:
    files = write_series(tmp_path)
    every: Any = Every
    first = check_module(every, files)
    names = [type(one).__name__ for one in first.items]
    others = {"Segment", "Note", "Refusal", "Change", "Classification", "HeatMap", "OwnObject"}
    assert set(names) | others == set(KINDS) == kinds_of_ours()
    [measured] = first.measurements
    assert measured.of is first.segments[1]
    before = hilum.findings.Earlier(date(2025, 1, 2), 2.5, 0.1, "1.2", "1.3", "1.4")
    change = hilum.findings.Change(measured, date(2026, 1, 2), (before,))
    first = hilum.findings.Findings((*first.items, change))
    given: Any = Given
    again = check_module(given, files, {"all": first})
    ours, theirs = exchange.as_items(first), exchange.as_items(again)
    assert ours[0] == theirs[0]
    assert all(np.array_equal(ours[1][name], theirs[1][name]) for name in ours[1])


class Reading:
    """Reads the DICOM files themselves."""

    name, version = "reading", "1"
    needs = hilum_module.Input("MR")

    def run(self, series: Any) -> Iterator[Any]:
        folder = series.folder()
        read = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
        shutil.rmtree(folder)
        yield Note(f"{len(read)} files of {read[0].PatientID}")


class ReadingHere(Reading):
    """The same in Hilum's own environment."""

    needs = Input("MR")

    def run(self, series: Any) -> Iterator[Any]:
        for note in super().run(series):
            yield hilum.findings.Note(note.text)


@pytest.mark.parametrize("module", [Reading, ReadingHere])
def test_dicom_files_are_given_as_a_folder(tmp_path: Path, module: Any) -> None:
    files = write_series(tmp_path, PatientID="P7")
    assert check_module(module, files).notes[0].text == "8 files of P7"


def test_images_arrive_as_they_were_given() -> None:
    voxels = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    shelf = Shelf(1 << 20)
    with mmap.mmap(shelf.descriptor, 0) as memory:
        length = put(Letter([{"input": "t1"}], {"voxels": voxels}), memoryview(memory))
        items, arrays = letters.take(memory, length)
    shelf.close()
    assert items == [{"input": "t1"}]
    assert np.array_equal(arrays["voxels"], voxels)


def test_what_is_wrong_is_refused_where_it_is_made() -> None:
    grey = Volume(np.zeros((2, 2, 2)), AFFINE)
    with pytest.raises(FindingError, match="no boolean volume"):
        Segment(grey, hilum_module.codes.BRAIN, "Grey")
    with pytest.raises(FindingError, match="no finite number"):
        Measurement(hilum_module.codes.VOLUME, float("nan"), hilum_module.codes.MILLILITRE)
    other = Segment(grey.with_array(grey.array > 0), hilum_module.codes.BRAIN, "Other")
    lost = Measurement(hilum_module.codes.VOLUME, 1.0, hilum_module.codes.MILLILITRE, of=other)
    with pytest.raises(FindingError, match="not yielded before"):
        as_item(lost, [], {})
    with pytest.raises(ValueError, match="has the shape"):
        grey.with_array(np.zeros((3, 2, 2), bool))


@pytest.mark.parametrize(
    "array",
    [
        np.full((4, 4), 0.5, np.float16),
        np.full((4, 4), 0.5, ">f4"),
        np.ones((4, 4), np.uint64),
        np.full((4, 4), 0.5, object),
        np.full((1, 1, 1, 4, 4), 0.5, np.float32),
    ],
    ids=lambda array: f"{array.dtype} {array.ndim}",
)
def test_an_array_of_another_type_is_told_and_ends_nothing(
    array: np.ndarray, tmp_path: Path
) -> None:
    class Warm:
        name, version = "warm", "1"
        needs = hilum_module.Input("MR")

        def run(self, series: hilum_module.Series) -> Iterator[Finding]:
            yield HeatMap(array, "Warm", series.images[0])

    with pytest.raises((hilum.errors.FindingError, FindingError), match=r"the values (of|are)"):
        check_module(Warm, write_series(tmp_path, 3))


class Numpy:
    """Gives numbers as NumPy has them."""

    name, version = "numpy", "1"
    needs = hilum_module.Input("MR")

    def run(self, series: hilum_module.Series) -> Iterator[Finding]:
        volume = series.volume()
        mask = volume.with_array(volume.array > np.float32(500))
        colour: Any = np.array([200, 0, 0])
        yield Segment(mask, hilum_module.codes.BRAIN, "Bright", colour=colour)
        value: Any = np.array(3.5)
        yield Measurement(hilum_module.codes.VOLUME, value, hilum_module.codes.MILLILITRE)


def test_numbers_of_numpy_are_numbers(tmp_path: Path) -> None:
    segment, measurement = check_module(Numpy, write_series(tmp_path)).items[:2]
    assert segment.colour == (200, 0, 0)
    assert measurement.value == 3.5


@pytest.mark.parametrize("value", ["Marker^Patient", None, [1.0]])
def test_what_is_no_number_is_not_repeated(value: Any) -> None:
    with pytest.raises(FindingError, match=f"is a {type(value).__name__}, no number$"):
        Measurement(hilum_module.codes.VOLUME, value, hilum_module.codes.MILLILITRE)


def test_a_new_module_passes_its_own_test(tmp_path: Path) -> None:
    made = CliRunner().invoke(app, ["new", "module", "bright-part", "--folder", str(tmp_path)])
    assert made.exit_code == 0, made.output
    [printed] = re.findall("^  (.* -m pytest .*)$", made.output, re.MULTILINE)
    tested = subprocess.run(shlex.split(printed), capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout
    wheel = Project.read(tmp_path / "bright-part").wheel(tmp_path)
    again = Project.read(tmp_path / "bright-part").wheel(tmp_path / "bright-part")
    assert wheel.read_bytes() == again.read_bytes(), "the same folder gives the same wheel"
    with zipfile.ZipFile(wheel) as held:
        assert not [name for name in held.namelist() if "test" in name]
    for name in ("bright-part", "Bright Part", "../x"):
        refused = CliRunner().invoke(app, ["new", "module", name, "--folder", str(tmp_path)])
        assert isinstance(refused.exception, ConfigurationError)


ONE_FILE = """
[project]
name = "one-file"
version = "1.0"

[project.entry-points."hilum.modules"]
one-file = "one_file:Module"
"""


def test_a_module_of_one_file_is_packed_too(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(ONE_FILE)
    (tmp_path / "other.py").write_text("")
    with pytest.raises(ConfigurationError, match=r"no file that an entry point hilum\.modules"):
        Project.read(tmp_path)
    (tmp_path / "one_file.py").write_text("x = 1\n")
    with zipfile.ZipFile(Project.read(tmp_path).wheel(tmp_path)) as held:
        code = {name for name in held.namelist() if ".dist-info" not in name}
        assert code == {"one_file.py"}
        assert held.read("one_file.py") == b"x = 1\n"


@pytest.mark.parametrize(
    "change",
    [("one-file", "../x"), ("version", "ver"), ('"1.0"', '"a b"'), ("[project]", "[tool]")],
)
def test_a_project_without_a_name_and_a_version_is_told(
    tmp_path: Path, change: tuple[str, str]
) -> None:
    (tmp_path / "pyproject.toml").write_text(ONE_FILE.replace(*change, 1))
    with pytest.raises(ConfigurationError, match=r"gives no name and version .* add that"):
        Project.read(tmp_path)


def test_the_kit_names_the_promise_that_is_broken(tmp_path: Path) -> None:
    class Grey:
        name, version = "grey", "1"
        needs = hilum_module.Input("MR")

        def run(self, series: hilum_module.Series) -> Iterator[Finding]:
            yield Segment(series.volume(), hilum_module.codes.BRAIN, "Grey")

    with pytest.raises(FindingError, match="no boolean volume"):
        check_module(Grey, write_series(tmp_path))
