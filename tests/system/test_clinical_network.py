"""The main job on real parts: scanner -> Orthanc -> (Lua) -> Hilum -> Orthanc, read back."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pydicom
import pytest

from hilum.assessments.assessing import put_on_record, said_here
from hilum.assessments.decision import AssessmentDecision
from hilum.dicom import codes
from hilum.dicom.instance import Instance
from hilum.inbox import Inbox
from hilum.records import views
from hilum.transport import sender
from hilum_lab.network import exam
from tests.archives import Orthanc
from tests.core.test_received_assessments import selection
from visits import a_year_later

from .site import Running, clinical_network


@pytest.fixture(scope="module", params=["dimse", "dicomweb"])
def network(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Orthanc, Running]]:
    with clinical_network(tmp_path_factory.mktemp(request.param), request.param) as parts:
        yield parts


def through_the_network(parts: tuple[Orthanc, Running], folder: Path) -> tuple[dict, list]:
    """Send `folder` to the PACS; the workitem, and the result objects as the PACS holds them."""
    pacs, hilum = parts
    files = sender.dicom_files(folder)
    report = sender.send(files, (pacs.ae_title, "127.0.0.1", pacs.dicom_port))
    assert not report.failed, str(report)
    view = hilum.settled(Instance.read(files[0]).study_uid)
    (item,) = view.workitems
    return item, [fetch(pacs, r.identity) for r in item.results]


def fetch(pacs: Orthanc, sop_instance_uid: str) -> pydicom.Dataset:
    query = {"Level": "Instance", "Query": {"SOPInstanceUID": sop_instance_uid}}
    (instance,) = httpx.post(f"{pacs.url}/tools/find", json=query).json()
    return pydicom.dcmread(BytesIO(httpx.get(f"{pacs.url}/instances/{instance}/file").content))


def volumes_of(item: dict) -> dict[str, float]:
    return {f.of: f.value for f in item.findings if f.kind == "measurement"}


def check(item: dict, results: list, study_uid: str, total_ml: float) -> None:
    assert item.state == "completed"
    assert [verdict.description for verdict in item.chosen_series] == ["HippoCrop"]
    assert item.rejected_series
    assert all(verdict.reasons for verdict in item.rejected_series)
    assert {result.kind for result in item.results} == {"seg", "sr", "sc", "pdf"}
    assert all(result.verified for result in item.results)
    volumes = volumes_of(item)
    assert volumes["Hippocampus"] == pytest.approx(total_ml, rel=0.12)
    parts = volumes["Hippocampus, anterior"] + volumes["Hippocampus, posterior"]
    assert parts == pytest.approx(volumes["Hippocampus"], abs=0.002)
    assert {ds.StudyInstanceUID for ds in results} == {study_uid}
    assert all(ds.SeriesNumber >= 9000 for ds in results)
    assert all("not for diagnosis" in ds.SeriesDescription for ds in results)
    segmentation = next(ds for ds in results if ds.Modality == "SEG")
    assert len(segmentation.SegmentSequence) == 3
    assert np.count_nonzero(segmentation.pixel_array) > 0


@pytest.mark.parametrize(
    ("network", "study", "total_ml"),
    [
        ("dimse", "Study1", 3.5),
        ("dicomweb", "Study2", 3.15),
        pytest.param("dimse", "Study2", 3.15, marks=pytest.mark.whole),
        pytest.param("dicomweb", "Study1", 3.5, marks=pytest.mark.whole),
    ],
    indirect=["network"],
)
def test_real_studies(
    network: tuple[Orthanc, Running], shared: Path, study: str, total_ml: float
) -> None:
    folder = shared / "data" / "studies" / study
    item, results = through_the_network(network, folder)
    study_uid = Instance.read(sender.dicom_files(folder)[0]).study_uid
    check(item, results, study_uid, total_ml)


def test_the_sample_exam(network: tuple[Orthanc, Running], tmp_path: Path) -> None:
    """Two of its series; the test of the demo sends all of them."""
    folder = exam.make_exam(tmp_path, series=("Localizer", "HippoCrop"))
    item, results = through_the_network(network, folder)
    check(item, results, exam.study_uid(), total_ml=3.08)


def test_a_later_exam_is_compared_with_the_earlier_one(
    network: tuple[Orthanc, Running], tmp_path: Path
) -> None:
    """A year later the same hippocampus has voxels 3 % shorter, so it is a twelfth smaller."""
    folder = exam.make_exam(tmp_path / "later", series=("HippoCrop",))
    through_the_network(network, exam.make_exam(tmp_path / "first", series=("HippoCrop",)))
    before = a_year_later(folder, scale=0.97)
    item, results = through_the_network(network, folder)
    changes = [finding for finding in item.findings if finding.kind == "change"]
    _, hilum = network
    if hilum.site.destination[0].kind == "dicomweb":  # asking would put the patient's ID in a URL
        assert not changes
        return
    (change,) = changes
    assert change.since == f"{before[:4]}-{before[4:6]}-{before[6:]}"
    assert change.percent_per_year == pytest.approx(100 * (0.97**3 - 1), abs=2.5)
    assert change.value == pytest.approx(-0.27, abs=0.1)
    (report,) = [ds for ds in results if ds.Modality == "SR"]
    assert change.since in report.to_json()


def test_our_own_results_coming_back_start_nothing(network: tuple[Orthanc, Running]) -> None:
    """The PACS routes them to us like everything else; they are kept and otherwise ignored."""
    pacs, hilum = network
    for study in views.studies(hilum.records).studies:
        stored = {"Level": "Instance", "Query": {"StudyInstanceUID": study.study_uid}}
        images_and_results = len(httpx.post(f"{pacs.url}/tools/find", json=stored).json())
        folder = Inbox(hilum.site.data).study_folder(study.study_uid)
        hilum.until(
            lambda f=folder, n=images_and_results: len(list(f.glob("*.dcm"))) == n, "the results"
        )
        own = [item for item in study.workitems if item.state == "completed"]
        assert len(own) == len(study.workitems) == 1


def test_what_readers_say_goes_to_the_pacs_and_comes_from_a_viewer(
    network: tuple[Orthanc, Running], tmp_path: Path
) -> None:
    """The PACS sends the note back, as it does with everything, and may itself say something."""
    pacs, hilum = network
    item, results = through_the_network(network, exam.make_exam(tmp_path, series=("HippoCrop",)))
    accepted = said_here(item.id, "anna", "account anna", AssessmentDecision.ACCEPTED, "")
    assert put_on_record(hilum.site, hilum.records, accepted)

    def note() -> views.WorkitemView | None:
        items = views.study(hilum.records, exam.study_uid()).workitems
        done = [one for one in items if one.kind == "assessment" and one.state == "completed"]
        return done[0] if done else None

    hilum.until(note, "the note in the PACS")
    [written] = note().results
    assert written.verified
    told = fetch(pacs, written.identity)
    assert told.ConceptNameCodeSequence[0].CodeValue == "accepted"
    back = Inbox(hilum.site.data).path_of(exam.study_uid(), written.identity)
    hilum.until(back.exists, "the note that the PACS sends back")

    file = tmp_path / "said.dcm"
    selection(results, codes.QUALITY_ISSUE).save_as(file, enforce_file_format=True)
    receiver = (hilum.site.receiver.ae_title, "127.0.0.1", hilum.site.receiver.port)
    assert not sender.send([file], receiver, "VIEWER").failed

    def said() -> list[tuple[str, str, str]]:
        found = hilum.records.assessments.of_workitems([item.id])[item.id]
        return [(one.reader, one.decision, one.sender) for one in found]

    both = [("anna", "accepted", ""), ("Doe Jane", "rejected", "VIEWER")]
    hilum.until(lambda: said() == both, "both readers")
    slips = hilum.site.data / "assessments"
    hilum.until(lambda: not list(slips.glob("*.json")), "all slips")
    items = views.study(hilum.records, exam.study_uid()).workitems
    assert [one.kind for one in items] == ["run", "assessment"]  # no second note, no new run
