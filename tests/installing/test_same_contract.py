"""One module does the same with Hilum's packages and in an environment of its own."""

import importlib
import re
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import PositronEmissionTomographyImageStorage
from typer.testing import CliRunner

from hilum.cli import app
from hilum.config.site import Worker
from hilum.dicom.parts import Part, read_series
from hilum.dicom.study import Study
from hilum.engine import exchange
from hilum.errors import ConfigurationError, ModuleError, UnreadableError
from hilum.findings import Findings, Note, Refusal
from hilum.hosts import Job, Place, in_child, open_host
from hilum.hosts.discovery import installed_module
from hilum.hosts.inside import run_here
from hilum.hosts.judging import WalledJudge
from hilum.installing import Wanted, add
from hilum.module import (
    EarlierExams,
    Films,
    FindingsOf,
    Input,
    ModuleFacts,
    Resources,
    facts_of,
    needs_of,
    parameters_of,
)
from hilum.objects import Analysis, write_what_can_be
from hilum.testing import analysis_of, write_series
from hilum.testing.samples import CREATED
from tests import radiographs

from .kinds import kinds_of_ours
from .test_environments import wheels  # noqa: F401 - a fixture

PET_IMAGE = PositronEmissionTomographyImageStorage
EVERYTHING = '''\
"""Gets every kind of input, asks for all that there is, and yields every kind of finding."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PACKAGE import (
    Angle, Box, Classification, Code, Curve, Draft, Drawing, EarlierExams, Films, FindingsOf,
    HeatMap, Input, KeyImage, Label, LabelMap, Length, Measurement, Note, OwnObject, ParametricMap,
    Plot, Point, Refusal, Resources, Score, Segment, Table, Urgency, codes,
)
from PACKAGE.errors import DicomError


@dataclass(frozen=True)
class Choice:
    threshold: float = 0.5
    steps: tuple[int, ...] = (1, 2)
    words: str = "none"


def too_few(series):
    """Means series by their pixels, header and number of slices; raises for one."""
    if len(series.frames) == 3:
        raise ValueError(series.header.PatientID)
    if series.volume().array.max() > 0 and len(series.frames) < 6:
        maker = series.header.private_block(0x0009, "A MAKER")[0x01].value
        loaded = getattr(Everything, "is_loaded", False)
        return f"{maker} sent only {len(series.frames)} slices" + " to a model" * loaded
    return ""


class Everything:
    name, version, title = "everything", "1.0", "Everything"
    card = Path(__file__).with_name("card.md")
    parameters = Choice
    resources = Resources(memory_mb=300, threads=1)
    needs = {
        "head": Input(modality="MR", objection=too_few),
        "films": Films(),
        "loose": Input(modality="PT", volume=False, optional=True),
        "absent": Input(modality="CT", optional=True),
        "other": FindingsOf("other"),
        "before": EarlierExams(on="head", most=2, optional=True),
        "earlier_films": EarlierExams(on="films", optional=True),
    }

    def __init__(self):
        """It loads its model here; only `objection` needs none."""
        Everything.is_loaded = True

    def run(self, head, films, loose, absent, other, before, earlier_films, parameters):
        yield Note(repr(parameters))
        if parameters.words == "large":
            yield Note(str(head.volume().array.shape))
            return
        if parameters.words == "careless":
            for film in films:
                film.values()
        yield from map(Note, self.asked(head, films, loose, absent, other))
        for series in before:
            voxels = series.volume().array.sum()
            yield Note(f"before: {series.header.get('StudyDate')}, {voxels:.6g}")
        yield from (Note(f"before: {film.uid}") for of in earlier_films for film in of)
        yield from self.in_volume(head.volume(), parameters.threshold)
        yield from self.on_films(films)
        yield from self.said(head)

    def asked(self, head, films, loose, absent, other):
        first = head.frames[0]
        yield f"{head.modality}, {head.description}, {head.uid}, {head.label!r}, {head.cautions}"
        yield f"{first.position}, {first.orientation}, {first.pixel_spacing}, {first.echo_time}"
        yield f"{first.b_value}, {first.time}, {first.number}, {head.stack.spacing}"
        yield f"{first.instance.sop_instance_uid}, {head.instances[2].header.get('InstanceNumber')}"
        yield f"{head.stack.problem}, {head.stack.error}, {list(head.stack.order)}"
        yield f"{head.header.get('PatientID')}, {head.header.text('Modality')}"
        block = head.instances[1].header.private_block(0x0009, "A MAKER")
        yield f"{block[0x01].value}, {block[0x02].value}, {0x03 in block}"
        for words in ("left kidney", "hippocampus", "no such thing"):
            yield str([tuple(code)[:3] for code in codes.find(words, 5)])
        yield f"{[float(one) for one in head.header.PixelSpacing]}, {'PatientAge' in head.header}"
        files = sorted(head.folder().iterdir())
        yield f"{len(files)} files of {sum(len(file.read_bytes()) for file in files)} bytes"
        yield f"{absent}, {[note.text for note in other.items]}, {len(loose.frames)}"
        values = head.real_world_volume(codes.NO_UNITS).array
        yield f"{values.dtype}, {values.sum():.6g}"
        for missing in (loose.volume, lambda: head.suv_factor):
            try:
                missing()
            except DicomError as error:
                yield str(error)
        for film in films:
            yield f"{film.uid}, {film.age}, {film.problem}, {film.header.get('ViewPosition')}"
            yield f"{getattr(film.picture, 'shape', None)}"
            try:
                yield f"{film.values().sum():.6g}"
            except DicomError as error:
                yield str(error)

    def in_volume(self, volume, threshold):
        bright = volume.array > threshold * volume.array.max()
        segment = Segment(volume.with_array(bright), codes.BRAIN, "Bright")
        yield segment
        ml = codes.MILLILITRE
        yield Measurement(codes.VOLUME, segment.volume_ml, ml, of=segment, followed=True)
        lines = (Label(1, codes.BRAIN, "One"), Label(2, codes.LUNG, "Two", side=codes.LEFT))
        found = LabelMap(volume.with_array(bright.astype(int) + 1), lines)
        yield found
        yield Measurement(codes.VOLUME, found.segment(2).volume_ml, ml, of=found.segment(2))
        yield ParametricMap(volume, codes.VOLUME, codes.NO_UNITS, "Brightness")
        place = tuple(volume.affine[:3, 3])
        second, third = (tuple(volume.affine[:3] @ [n, 3, 2 + n, 1]) for n in (1, 2))
        yield Point(place, codes.BRAIN, "Corner")
        yield Box((place, second), codes.BRAIN, "Voxel")
        yield Length((place, second), "Way")
        yield Angle((place, second, third), "Turn")

    def on_films(self, films):
        film = films[0]
        scores = (Score(codes.LUNG, "Lung", 0.75), Score(codes.BRAIN, "Brain", 0.25))
        yield Classification(scores, scores[0], "a number of the test", film.uid, 0.5)
        values = np.linspace(0, 1, 48, dtype=np.float32).reshape(8, 6)
        yield HeatMap(values, "Evidence", film.uid, values > 0.5)
        yield Point((3, 4), Code("x", "99TEST", "Spot"), "Spot", image=film.uid)

    def said(self, head):
        yield Table("Sizes", ("which", "how large"), (("one", "2 mm"),))
        yield Plot("Wash-in", "s", "a.u.", (Curve("Left", (0, 1, 2), (0.5, 2, 1)),))
        yield KeyImage(head.instances[1].sop_instance_uid, "the second one")
        yield Draft("No change.", section="Findings")
        yield Urgency("it is urgent")
        yield Drawing(np.zeros((4, 5, 3), np.uint8), "Black")
        own = Path(__file__).with_name("own.dcm").read_bytes()
        yield OwnObject(np.frombuffer(own, np.uint8))
        yield Refusal("part", "a part was not measured", head.instances[0].sop_instance_uid)
'''
PROJECT = """\
[project]
name = "everything"
version = "1.0"
dependencies = ["hilum-module", "numpy"]

[project.entry-points."hilum.modules"]
everything = "everything:Everything"
"""
CHOSEN: dict[str, Any] = {"threshold": 0.4, "steps": [3], "words": "some"}
GIVEN = Findings((Note("of the other module"),))


def write_module(folder: Path, package: str, own: bytes) -> Path:
    """The module as a project that imports `package`; `own` is a DICOM file of its own."""
    (folder / "everything").mkdir(parents=True)
    (folder / "everything" / "__init__.py").write_text(EVERYTHING.replace("PACKAGE", package))
    (folder / "everything" / "card.md").write_text("# Everything\n")
    (folder / "everything" / "own.dcm").write_bytes(own)
    (folder / "pyproject.toml").write_text(PROJECT)
    return folder


@pytest.fixture(scope="module")
def exam(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Part]]:
    """A study of a head, a PET series that forms no volume, and two films, one of them broken."""
    folder = tmp_path_factory.mktemp("exam")
    unit = Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "1", "UCUM", "no units"
    mapping = Dataset()
    mapping.RealWorldValueFirstValueMapped, mapping.RealWorldValueLastValueMapped = 0, 65535
    mapping.RealWorldValueSlope, mapping.RealWorldValueIntercept = 0.5, 1.0
    mapping.MeasurementUnitsCodeSequence = [unit]
    head = write_series(folder / "head", RealWorldValueMappingSequence=[mapping])
    for file in head:
        image = pydicom.dcmread(file)
        block = image.private_block(0x0009, "A MAKER", create=True)
        block.add_new(0x01, "LO", "A scanner")
        block.add_new(0x02, "UN", b"\x00\xff")
        image.save_as(file)
    about = {"SeriesDescription": "PET", "Modality": "PT", "SOPClassUID": PET_IMAGE}
    loose = write_series(folder / "loose", 3, **about, ImagePositionPatient=[0, 0, 0])
    first = pydicom.dcmread(head[0])
    same = {
        keyword: first[keyword].value
        for keyword in ("StudyInstanceUID", "PatientName", "PatientID", "PatientBirthDate")
    }
    pixels = radiographs.scene()
    good = radiographs.radiograph(pixels, **same, SeriesInstanceUID="1.2.3")
    bad = radiographs.radiograph(pixels, name="two", **same, SeriesInstanceUID="1.2.3")
    bad.PixelData = bad.PixelData[:100]
    films = [
        radiographs.saved(film, folder / f"{name}.dcm") for name, film in (("a", good), ("b", bad))
    ]
    older = write_series(folder / "older", 5, StudyDate="20240301", SeriesDescription="older")
    exchange.save(GIVEN, folder)
    given = [folder / exchange.FINDINGS, folder / exchange.ARRAYS]
    files = {"head": head, "loose": loose, "films": films, "other": given}
    files |= {"before/0": older, "before/1": head[:4], "earlier_films/0": films[:1]}
    return {name: [Part(file) for file in of] for name, of in files.items()}


@pytest.fixture(scope="module")
def own(exam: dict[str, list[Part]]) -> bytes:
    """A DICOM object that the module brings: what Hilum itself writes as a picture of the head."""
    files = [part.path for part in exam["head"]]
    picture = next(one for one in write_what_can_be(analysis_of(files), {}) if one.kind == "sc")
    return picture.encoded


@pytest.fixture(scope="module")
def models(
    own: bytes,
    wheels: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A folder of models with the module in an environment."""
    folder = tmp_path_factory.mktemp("models")
    source = write_module(tmp_path_factory.mktemp("source") / "there", "hilum_module", own)
    add(Wanted(str(source), wheels=wheels), folder)
    return folder


def documents(findings: Findings, exam: dict[str, list[Part]], out: Path) -> dict[str, bytes]:
    """The result objects of `findings`, by kind and place."""
    images = {name: exam[name] for name in ("head", "loose", "films")}
    series = {name: tuple(read_series(parts)) for name, parts in images.items()}
    instances = [image for of in series.values() for one in of for image in one.instances]
    lost: dict[str, str] = {}
    analysis = Analysis(
        workitem_id="1.2.3",
        created=CREATED,
        module=ModuleFacts("everything", "1.0", "Everything", "5f" * 32),
        study=Study.of(instances),
        inputs=series,
        findings=findings,
        pictures=exchange.load_pictures(out),
        parameters=CHOSEN,
    )
    written = list(write_what_can_be(analysis, lost))
    assert not lost
    return {f"{place} {one.kind}": one.encoded for place, one in enumerate(written)}


def test_it_does_the_same_in_both_places(
    models: Path, own: bytes, exam: dict[str, list[Part]], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.syspath_prepend(str(write_module(tmp_path / "here", "hilum", own)))
    here = importlib.import_module("everything").Everything
    pictures: dict[str, np.ndarray] = {}
    found = run_here(here(), exam, pictures, CHOSEN)
    sys.modules.pop("everything")
    exchange.save_pictures(pictures, tmp_path / "ours")

    there = installed_module("everything", Place(models=models))
    job = Job(exam, tmp_path / "theirs", facts_of(there).weights_sha256, CHOSEN)
    with closing(open_host(in_child("everything"), Place(Worker(), models))) as host:
        host.run(job)
    again = exchange.load(job.out)

    assert {type(one).__name__ for one in found.items} | {"Change"} == kinds_of_ours()
    texts = [note.text for note in found.notes]
    assert texts == [note.text for note in again.notes]
    assert texts[0] == "Choice(threshold=0.4, steps=(3,), words='some')"
    ours = documents(found, exam, tmp_path / "ours")
    theirs = documents(again, exam, job.out)
    assert len(ours) > 3
    assert ours == theirs


def test_its_function_objects_to_the_same_series_in_both_places(
    models: Path, own: bytes, exam: dict[str, list[Part]], tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.syspath_prepend(str(write_module(tmp_path / "here", "hilum", own)))
    here = importlib.import_module("everything").Everything
    sys.modules.pop("everything")
    there = installed_module("everything", Place(models=models))
    ours, theirs = (needs_of(one)["head"].objection for one in (here, there))  # type: ignore[union-attr]
    series = {n: read_series(exam["head"][:n])[0] for n in (8, 4, 3)}
    for count, said in ((8, ""), (4, "A scanner sent only 4 slices")):
        assert ours(series[count]) == theirs(series[count]) == said
    assert re.search("did not say .* raised ValueError in __init__.py, line", theirs(series[3]))


def test_what_cannot_be_read_is_refused_in_the_same_words(
    models: Path, exam: dict[str, list[Part]], tmp_path: Path
) -> None:
    there = installed_module("everything", Place(models=models))
    chosen = {"words": "careless"}
    job = Job(exam, tmp_path, facts_of(there).weights_sha256, chosen)
    with closing(open_host(in_child("everything"), Place(Worker(), models))) as host:
        host.run(job)
        assert [type(one) for one in exchange.load(job.out).items] == [Refusal]
        assert (refusal := exchange.load(job.out).refusal)
        host.run(replace(job, parameters=CHOSEN))
        assert len(exchange.load(job.out).items) > 20, "it goes on"
    with pytest.raises(UnreadableError) as raised:
        [film.values() for film in Films().read(exam["films"])]
    assert refusal.text == f"The images cannot be used: {raised.value}."


@pytest.mark.whole
def test_what_is_too_large_is_given_with_more_memory(models: Path, tmp_path: Path) -> None:
    there = installed_module("everything", Place(models=models))
    files = write_series(tmp_path / "large", 65, (1024, 1024))
    exam = {"head": [Part(file) for file in files]}
    job = Job(exam, tmp_path / "out", facts_of(there).weights_sha256, {"words": "large"})
    for memory_mb, said in ((500, "more than 250 MiB: raise worker.memory_mb"), (2048, "")):
        place = Place(Worker(memory_mb=memory_mb), models)
        with closing(open_host(in_child("everything"), place)) as host:
            if said:
                with pytest.raises(ModuleError, match=said):
                    host.run(job)
            else:
                host.run(job)


def test_what_it_declares_is_known_without_it(models: Path) -> None:
    module = installed_module("everything", Place(models=models))
    assert module.resources == Resources(300, 1)  # type: ignore[attr-defined]
    assert module.card.read_text() == "# Everything\n"  # type: ignore[attr-defined]
    needs = dict(needs_of(module))
    head = needs.pop("head")
    assert isinstance(head, Input)
    assert isinstance(head.objection, WalledJudge)
    assert replace(head, objection=None) == Input(modality="MR")
    assert needs == {
        "films": Films(),
        "loose": Input(modality="PT", volume=False, optional=True),
        "absent": Input(modality="CT", optional=True),
        "other": FindingsOf("other"),
        "before": EarlierExams(on="head", most=2, optional=True),
        "earlier_films": EarlierExams(on="films", optional=True),
    }
    listed = CliRunner().invoke(app, ["modules", "--models", str(models)]).output
    for said in (
        "input head. Images: MR, one volume; Number of slices: any; Further conditions: as the",
        "input other. Findings: of the module other, on the same images",
        "input before. Earlier exams of the patient: the latest 2, of the same kind as head; If",
        "parameter steps: a list; each entry is a whole number; [1, 2] if no rule sets it",
    ):
        assert said in listed
    assert vars(parameters_of(module, {"steps": [4]}))["steps"] == (4,)
    for wrong, said in (({"step": 1}, "did you mean 'steps'"), ({"steps": 1}, "parameter steps")):
        with pytest.raises(ConfigurationError, match=said):
            parameters_of(module, wrong)
