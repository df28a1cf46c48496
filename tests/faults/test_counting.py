"""The count itself, with a real PACS behind the gate: what is lost or doubled is seen."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from factory import mr_slices, write
from hilum.delivery.handover import require_taken
from hilum.destinations import Destination, open_destination
from hilum.destinations.dicomweb import DicomwebDestinationSettings
from hilum.destinations.dimse import DimseDestinationSettings
from hilum.dicom.uids import derived_uid
from hilum.errors import DeliveryDelayed, DeliveryRefused
from hilum.inbox import Inbox
from hilum.records import Records
from hilum.testing import results_of
from hilum_lab.archives.behaviour import AE_TITLE, EVERY, DimseBehaviour
from hilum_lab.archives.dimse import DimseArchive
from hilum_lab.chaos import gate as steps
from hilum_lab.chaos.exams import Exams, SentStudy
from hilum_lab.chaos.gate import PacsProxy, Reply
from hilum_lab.chaos.ledger import Ledger
from hilum_lab.network.processes import available_port
from tests.archives import Orthanc
from tests.patience import PATIENCE


class Place:
    """What the ledger looks at, without a running Hilum."""

    def __init__(self, folder: Path, pacs: Orthanc) -> None:
        self.pacs = pacs
        self.gate = PacsProxy(pacs.http_port, available_port())
        self.archive = DimseArchive(available_port())
        records = Records(f"sqlite:///{folder}/hilum.db")
        self.hilum = SimpleNamespace(site=SimpleNamespace(data=folder), records=records)
        self.ledger = Ledger(self)  # type: ignore[arg-type]
        self.inbox = Inbox(folder)
        url = f"http://127.0.0.1:{self.gate.port}/dicom-web"
        web = DicomwebDestinationSettings(name="pacs", url=url, timeout_seconds=PATIENCE)
        dimse = DimseDestinationSettings(name="archive", port=self.archive.port, ae_title=AE_TITLE)
        self.to_pacs: Destination = open_destination(web)
        self.to_archive: Destination = open_destination(dimse)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with Orthanc(tmp_path / "pacs") as pacs:
        place = Place(tmp_path, pacs)
        place.gate.open()
        place.archive.open()
        yield place
        place.gate.close()
        place.archive.close()
        place.hilum.records.close()


@pytest.fixture
def study(tmp_path: Path) -> SentStudy:
    write(mr_slices(count=6, shape=(8, 8)), tmp_path / "exam")
    write(mr_slices("other", count=3, shape=(8, 8), description="T1"), tmp_path / "exam")
    study = Exams([tmp_path / "exam"], tmp_path / "scanner", whole=True).fresh()
    study.accepted = set(study.uid_of.values())
    return study


def result(study: SentStudy, folder: Path, name: str) -> Path:
    """A picture that names every image of the target series."""
    dataset = pydicom.dcmread(study.files[0])
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    dataset.SOPInstanceUID = derived_uid(study.uid, name)
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.SeriesInstanceUID = derived_uid(study.uid, name, "series")
    dataset.InstanceNumber = 1
    dataset.SourceImageSequence = []
    for uid in sorted(study.target):
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = dataset.SOPClassUID, uid
        dataset.SourceImageSequence.append(item)
    path = folder / f"{name}.dcm"
    dataset.save_as(path)
    return path


def hand_over(destination: Destination, path: Path) -> None:
    """Send, and raise as a delivery does unless it was taken."""
    require_taken(list(destination.send(results_of([path]))), 1)


def test_copies_share_nothing_but_the_pixels(study: SentStudy, tmp_path: Path) -> None:
    originals = {pydicom.dcmread(path).SOPInstanceUID for path in (tmp_path / "exam").iterdir()}
    assert [len(study.files), len(study.target), study.most] == [9, 6, 3]
    assert originals.isdisjoint(study.uid_of.values())
    assert {pydicom.dcmread(path).StudyInstanceUID for path in study.files} == {study.uid}


def test_what_is_lost_or_doubled_is_counted(place: Place, study: SentStudy, tmp_path: Path) -> None:
    for path in study.files[:-1]:
        place.inbox.store(path.read_bytes())
    assert place.ledger.count([study], answered=False).lost == 1
    place.inbox.store(study.files[-1].read_bytes())
    assert place.ledger.count([study], answered=False).lost == 0
    assert place.ledger.count([study]).lost == len(study.target)

    first, second = (result(study, tmp_path, name) for name in ("first", "second"))
    for destination in (place.to_pacs, place.to_archive):
        hand_over(destination, first)
    count = place.ledger.count([study])
    assert (count.accepted, count.lost, count.twice, count.sent_again) == (9, 0, 0, 0)
    for destination in (place.to_pacs, place.to_archive):
        hand_over(destination, first)
    assert place.ledger.count([study]).sent_again == 2
    hand_over(place.to_pacs, second)
    assert place.ledger.count([study]).twice == 1


def test_the_gate_stops_at_every_step(place: Place, study: SentStudy, tmp_path: Path) -> None:
    path = result(study, tmp_path, "result")
    for step, arrives in ((steps.SEND, False), (steps.SENT, True)):
        reached = place.gate.at(step, lambda: False)
        with pytest.raises(DeliveryDelayed):
            hand_over(place.to_pacs, path)
        assert reached.is_set()
        assert bool(place.ledger.in_pacs(study)) is arrives
    for step in (steps.READ_BACK, steps.SHOWN):
        hand_over(place.to_pacs, path)
        reached = place.gate.at(step, lambda: True)
        assert place.to_pacs.ask(results_of([path])).missing == ()
        assert reached.is_set()


def test_the_gate_answers_for_the_pacs(place: Place, study: SentStudy, tmp_path: Path) -> None:
    path = result(study, tmp_path, "result")
    for reply, error in (
        (Reply(503), DeliveryDelayed),
        (Reply(409, 0xA700), DeliveryDelayed),
        (Reply(409, 0x0122), DeliveryRefused),
    ):
        place.gate.answer(reply)
        with pytest.raises(error):
            hand_over(place.to_pacs, path)
    place.gate.answer(Reply(200, 0))
    hand_over(place.to_pacs, path)  # a lie
    assert list(place.to_pacs.ask(results_of([path])).missing) == results_of([path])
    place.gate.close()
    with pytest.raises(DeliveryDelayed, match="cannot be reached"):
        hand_over(place.to_pacs, path)
    place.gate.open()
    hand_over(place.to_pacs, path)
    assert place.to_pacs.ask(results_of([path])).missing == ()


def test_the_archive_misbehaves_as_told(place: Place, study: SentStudy, tmp_path: Path) -> None:
    path = result(study, tmp_path, "result")
    place.archive.behaviour = DimseBehaviour(statuses={EVERY: 0xC000})
    with pytest.raises(DeliveryRefused, match="cannot understand"):
        hand_over(place.to_archive, path)
    place.archive.behaviour = DimseBehaviour(keeps=False)
    hand_over(place.to_archive, path)
    assert list(place.to_archive.ask(results_of([path])).missing) == results_of([path])
    place.archive.open(DimseBehaviour(ae_title="OTHER"))
    with pytest.raises(DeliveryRefused, match="correct ae_title"):
        hand_over(place.to_archive, path)
