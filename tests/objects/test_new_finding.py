"""A new kind of finding is defined in one place and told in another; nothing else knows of it."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from io import BytesIO

import pytest
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pypdf import PdfReader

from hilum.dicom import codes
from hilum.engine import checking, exchange
from hilum.errors import FindingError
from hilum.findings import Finding, Findings, Measurement, Note, Segment
from hilum.objects import telling, write_objects
from hilum.objects.event import JsonResult
from hilum.objects.fhir.bundle import FhirResult
from hilum.objects.iod import content_tree as tree
from hilum.objects.iod import groups
from hilum.objects.kinds import Writing
from hilum.objects.oru import ResultMessages
from hilum.objects.report import Report
from hilum.summary.numbers import MeasurementSummary

from . import exams, films, validators

LENGTH = Code("410668003", "SCT", "Length")
MILLIMETRE = Code("mm", "UCUM", "mm")
TITLE = "Länge der Läsion"  # a text that ASCII does not hold


# 1. Where it is defined. -------------------------------------------------------------------------


@dataclass(frozen=True)
class End:
    """A point of the image, (column, row)."""

    place: tuple[float, ...]
    seen: date | None = None


@dataclass(frozen=True)
class Distance(Finding):
    """A distance between two points, in millimetres."""

    label: str
    millimetres: float
    ends: tuple[End, ...]
    within: Segment | None = None
    image: str | None = None

    def summary(self) -> MeasurementSummary:
        return MeasurementSummary(self.label, self.millimetres, "mm", image=self.image)

    def texts(self) -> Iterable[str]:
        yield self.label

    def codes(self) -> Iterable[Code]:
        return LENGTH, MILLIMETRE


# 2. Where it is told. ----------------------------------------------------------------------------


def in_known_kinds(length: Distance) -> Iterator[Finding]:
    yield Measurement(LENGTH, length.millimetres, MILLIMETRE, image=length.image)
    yield Note(f"{length.label}: from end to end.", image=length.image)


def own_group(report: Report, length: Distance) -> Iterator[Dataset]:
    measured = Measurement(LENGTH, length.millimetres, MILLIMETRE)
    content = groups.tracking(length.label, report.tracking_uid("length", length.label))
    content += groups.measured(report, measured)
    yield tree.container(codes.MEASUREMENT_GROUP, content, "1501")


# -------------------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def told(monkeypatch):
    monkeypatch.setattr(telling, "_TELLINGS", {})
    telling.tell(Distance, in_known_kinds, own_group)


def ends():
    return End((1.0, 2.5), date(2026, 1, 2)), End((4.0, 6.5))


def test_it_is_stored_and_read_like_any_other(tmp_path):
    study = exams.write_exam(tmp_path, shape=(4, 12, 12))
    (segment, *_) = exams.segments(study.series[0])
    given = Findings((segment, Distance(TITLE, 41.5, ends(), within=segment, image="1.2.3")))
    exchange.save(given, tmp_path / "out")
    back = exchange.load(tmp_path / "out")
    (length,) = back.of(Distance)
    assert length.within is back.segments[0]
    assert (length.ends, length.label, length.image) == (ends(), TITLE, "1.2.3")
    assert exchange.summary(back) == exchange.summary(given)


def test_it_is_checked_like_any_other(tmp_path):
    study = exams.write_exam(tmp_path, shape=(4, 12, 12))
    series = study.series[0]
    segment = exams.segments(series)[0]
    with pytest.raises(FindingError, match="not among the input's images"):
        checking.check(Distance("x", 1.0, (), image="1.2.3"), [], [series])
    with pytest.raises(
        FindingError, match=r"of the segment 'Hippocampus, anterior', which was not"
    ):
        checking.check(Distance("x", 1.0, (), within=segment), [], [series])


def test_every_object_on_a_volume_tells_it(tmp_path):
    study = exams.write_exam(tmp_path, shape=(4, 12, 12))
    analysis = exams.analysis_of(study, study.series[0], Distance(TITLE, 41.5, ends()))
    written = dict(write_objects(analysis))
    assert set(written) == {"seg", "sr", "sc", "pdf"}
    page = PdfReader(BytesIO(written["pdf"].EncapsulatedDocument)).pages[0].extract_text()
    assert "Length" in page and "41.50" in page and f"{TITLE}: from end to end." in page
    plain = dict(write_objects(exams.analysis_of(study, study.series[0])))
    assert written["sc"].Rows > plain["sc"].Rows  # its row and its note
    assert written["sr"].SpecificCharacterSet == "ISO_IR 100"  # holds its label
    assert TITLE in str(written["sr"])
    assert_valid(written["sr"], tmp_path)


def test_the_objects_on_a_film_tell_it(tmp_path):
    study = films.write_films(tmp_path, [films.drawn()])
    uid = films.instances(study)[0].sop_instance_uid
    length = Distance(TITLE, 41.5, ends(), image=uid)
    written = dict(write_objects(films.analysis_of(study, length)))
    page = PdfReader(BytesIO(written["pdf"].EncapsulatedDocument)).pages[0].extract_text()
    assert "41.50" in page and TITLE in page
    assert_valid(written["sr"], tmp_path)


def test_whatever_goes_to_programs_has_its_numbers(tmp_path):
    """Its own group is known to nobody but itself: it is read as the report writes it."""
    study = exams.write_exam(tmp_path, shape=(4, 12, 12))
    distance = Distance(TITLE, 41.5, ends())
    writing = Writing(exams.analysis_of(study, study.series[0], distance))
    [message] = ResultMessages().write(writing)
    [document] = JsonResult().write(writing)
    [bundle] = FhirResult().write(writing)
    groups_in = {one["name"] for one in json.loads(document)["data"]["groups"]}
    resources = [entry["resource"] for entry in json.loads(bundle)["entry"]]
    assert TITLE in groups_in
    assert message.decode().count(f"|{TITLE}|") == 1
    assert f"{TITLE}: Length" in [one["code"]["text"] for one in resources if "code" in one]
    assert "|41.5|" in message.decode()


def assert_valid(report: Dataset, folder) -> None:
    path = folder / "report.dcm"
    report.save_as(path, enforce_file_format=True)
    assert validators.dciodvfy(path) == []
    assert validators.dsrdump_complaints(path) == []
    said = validators.dsrdump(path)
    assert "41.5" in said and "Length" in said
