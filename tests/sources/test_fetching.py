"""One study is fetched from a real archive: once, whole, never our own results, room respected."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import RLELossless

from hilum.acts.fetching import AGAIN_SECONDS, Fetch, Fetches, way_of
from hilum.config import parse
from hilum.config.site import Site
from hilum.destinations.dimse import DimseDestination
from hilum.destinations.dimse_retrieving import ByGet
from hilum.errors import DeliveryDelayed, SourceError
from hilum.inbox import Inbox, Receipt
from hilum.processes.hints import Counted, HintReceiver, Released, Stored, gateway_address
from hilum.records import Records
from hilum.records.models.deliveries import WrittenResult
from hilum.records.models.requests import Request, Wish
from hilum.records.states import RequestAction
from hilum.transport.query import find, move
from hilum.transport.scu import Peer, store
from hilum.why.archives import archives_of
from hilum_lab.archives.behaviour import AE_TITLE
from hilum_lab.archives.dimse import DimseArchive
from hilum_lab.network.processes import available_port
from tests.archives import Orthanc
from tests.patience import PATIENCE
from tests.sources.watching import upload
from tests.synthetic import write_series

IMAGES = 4


def study_of(number: int) -> str:
    return f"1.2.840.99.1234567890.{number}"


class Death(BaseException):
    """The process is gone."""


class MortalInbox(Inbox):
    """Dies before it stores one more image than it may."""

    may_store = 2

    def store(self, part10: bytes, sender: str = "") -> Receipt:
        if not self.may_store:
            raise Death
        self.may_store -= 1
        return super().store(part10, sender)


class Hall:
    """A gateway that fetches, as far as its fetching goes."""

    def __init__(
        self, folder: Path, end: dict[str, object], group: str = "source", **receiver: object
    ) -> None:
        settings = {"low_water_mb": 0, **receiver}
        self.site: Site = parse({"data": folder, "receiver": settings, group: [end]})
        folder.mkdir(parents=True)
        self.records = Records(f"sqlite:///{folder}/hilum.db")
        self.inbox = Inbox(folder)
        self.hints = HintReceiver(gateway_address(folder))
        [self.archive] = archives_of(self.site)

    def close(self) -> None:
        self.records.close()
        self.hints.close()

    def ask(self, wanted: str, archive: str = "archive") -> int:
        wish = Wish(archive=archive)
        return self.records.requests.add(RequestAction.FETCH, reason=wanted, wish=wish)

    def attempt(self, number: int, before: int = 0, inbox: Inbox | None = None) -> float:
        asked = self.records.requests.one(number)
        return Fetch(self.site, self.records, inbox or self.inbox).attempt(
            self.archive, asked, before
        )

    def fetched(self, wanted: str) -> Request:
        number = self.ask(wanted)
        assert self.attempt(number) == 0.0
        return self.records.requests.one(number)


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with Orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        for number in range(3):
            folder = tmp_path_factory.mktemp("study")
            accession = "TWICE" if number else "ONCE"
            study = study_of(number)
            values = {"AccessionNumber": accession, "StudyInstanceUID": study}
            upload(running, write_series(folder, IMAGES, **values))
        yield running


@pytest.fixture(params=["orthanc", "dicomweb", "c-get"])
def hall(request: pytest.FixtureRequest, orthanc: Orthanc, tmp_path: Path) -> Iterator[Hall]:
    ends: dict[str, dict[str, object]] = {
        "orthanc": {"kind": "orthanc", "url": orthanc.url},
        "dicomweb": {"kind": "dicomweb", "url": orthanc.dicomweb_url, "query_identifiers": True},
        "c-get": {"kind": "dimse", "port": orthanc.dicom_port, "retrieve": "c-get"},
    }
    group = "destination" if request.param == "c-get" else "source"
    made = Hall(tmp_path / "data", {"name": "archive", **ends[request.param]}, group)
    yield made
    made.close()


def test_a_study_is_fetched_by_its_accession_number(hall: Hall) -> None:
    asked = hall.fetched("ONCE")
    text = f"{IMAGES} images fetched from archive; the rules decide on them"
    assert (asked.done, asked.answer, asked.reason) == (True, text, "")
    assert asked.study_uid == study_of(0)
    assert len(list(hall.inbox.study_folder(asked.study_uid).glob("*.dcm"))) == IMAGES
    hints = hall.hints.receive(5)
    while more := hall.hints.receive(0.05):
        hints += more
    kinds = [type(hint) for hint in hints]
    assert (kinds[0], kinds.count(Stored), kinds[-1]) == (Counted, IMAGES, Released)
    again = hall.fetched(asked.study_uid)
    cure = f"`hilum rerun {asked.study_uid}`"
    here = f"not fetched: all {IMAGES} images are here already: {cure}"
    assert (again.done, again.answer) == (False, here)


def test_several_studies_are_listed_and_none_is_chosen(hall: Hall) -> None:
    asked = hall.fetched("TWICE")
    assert asked.answer
    assert not asked.done
    assert "archive has 2 studies with this accession number" in asked.answer
    named = set(re.findall(r"[\d.]{20,}", asked.answer))
    assert named == {study_of(1), study_of(2)}
    assert list(hall.inbox.incoming.iterdir()) == []
    assert hall.fetched(named.pop()).done


def test_what_the_archive_does_not_have_is_said(hall: Hall) -> None:
    assert hall.fetched("NEVER").answer == "not fetched: archive does not have it"
    assert "an accession number" in str(hall.fetched("ON*").answer)


def test_our_own_results_are_not_fetched(hall: Hall) -> None:
    with hall.archive.opened() as opened, way_of(opened) as way:
        ours = way.listed(study_of(0))[0].sop_instance_uid
    result = WrittenResult(ours, "v", "1.2.3", "sr", "application/dicom", "1.2", Path("x"))
    hall.records.results.add(result)
    assert str(hall.fetched("ONCE").answer).startswith(f"{IMAGES - 1} images fetched")
    assert not hall.inbox.path_of(study_of(0), ours).exists()


def test_whatever_dies_it_goes_on_where_it_was(hall: Hall) -> None:
    number = hall.ask("ONCE")
    with pytest.raises(Death):
        hall.attempt(number, inbox=MortalInbox(hall.site.data))
    assert [asked.id for asked in hall.records.requests.to_fetch()] == [number]
    assert hall.attempt(number) == 0.0
    asked = hall.records.requests.one(number)
    assert str(asked.answer).startswith(f"{IMAGES - 2} images fetched")
    assert len(list(hall.inbox.study_folder(asked.study_uid).glob("*.dcm"))) == IMAGES


def test_without_room_it_waits_and_says_so(tmp_path: Path, orthanc: Orthanc) -> None:
    source = {"name": "archive", "kind": "orthanc", "url": orthanc.url}
    hall = Hall(tmp_path / "data", source, low_water_mb=10**9)
    number = hall.ask("ONCE")
    for before, pause in enumerate(AGAIN_SECONDS):
        assert hall.attempt(number, before) == pause
        asked = hall.records.requests.one(number)
        assert asked.progress.startswith("it cannot be stored here: No space left on device")
        assert asked.answer is None
    assert hall.attempt(number, len(AGAIN_SECONDS)) == 0.0
    assert "No space left" in str(hall.records.requests.one(number).answer)
    hall.close()


def test_an_archive_that_is_down_is_asked_again(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{available_port()}"
    hall = Hall(tmp_path / "data", {"name": "archive", "kind": "orthanc", "url": url})
    number = hall.ask("ONCE")
    assert hall.attempt(number) == AGAIN_SECONDS[0]
    assert "again in 5 s" in hall.records.requests.one(number).progress
    hall.close()


def test_an_archive_that_does_not_know_us_is_said_to_want_our_address(orthanc: Orthanc) -> None:
    """Orthanc breaks the association off, and says nothing."""
    unknown = Peer("ORTHANC", "127.0.0.1", orthanc.dicom_port, "NOBODY", timeout=PATIENCE)
    with pytest.raises(DeliveryDelayed, match="register AE title HIPPOAI there"):
        list(move(study_of(1), "HIPPOAI", unknown))


def by_get(archive: DimseArchive | Orthanc, folder: Path) -> Hall:
    port = archive.dicom_port if isinstance(archive, Orthanc) else archive.port
    title = "ORTHANC" if isinstance(archive, Orthanc) else AE_TITLE
    end = {"name": "archive", "kind": "dimse", "port": port, "ae_title": title}
    return Hall(folder / "data", {**end, "retrieve": "c-get"}, "destination")


def test_by_c_get_an_image_comes_as_the_archive_keeps_it(orthanc: Orthanc, tmp_path: Path) -> None:
    [file] = write_series(tmp_path / "study", 1, StudyInstanceUID=study_of(9))
    image = dcmread(file)
    image.compress(RLELossless, generate_instance_uid=False)
    image.save_as(file)
    upload(orthanc, [file])
    with closing(by_get(orthanc, tmp_path)) as hall:
        assert hall.fetched(study_of(9)).done
        [stored] = hall.inbox.study_folder(study_of(9)).glob("*.dcm")
    there = dcmread(stored)
    assert there.file_meta.TransferSyntaxUID == RLELossless
    assert there.PixelData == image.PixelData


def test_c_get_works_where_the_archive_does_not_tell_the_classes(orthanc: Orthanc) -> None:
    peer = Peer("ORTHANC", "127.0.0.1", orthanc.dicom_port, "HILUM")

    def without_classes(query: Dataset) -> list[Dataset]:
        found = list(find([query], peer))
        for match in found:
            match.pop("SOPClassUID", None)
        return found

    with ByGet(peer, without_classes) as way:
        [image, *_] = way.listed(study_of(0))
        assert way.fetch(image, 1 << 20)


def test_an_image_that_is_too_large_is_left_out_and_said(orthanc: Orthanc, tmp_path: Path) -> None:
    with closing(by_get(orthanc, tmp_path)) as hall:
        destination = DimseDestination(hall.site.destination[0])
    with destination.retrieving() as way:
        image = way.listed(study_of(0))[0]
        with pytest.raises(SourceError, match="larger than 100 bytes"):
            way.fetch(image, 100)
        assert way.fetch(image, 1 << 20)


def test_an_archive_without_c_get_is_said(tmp_path: Path) -> None:
    archive = DimseArchive(available_port())
    archive.open()
    [file] = write_series(tmp_path / "study", 1, StudyInstanceUID=study_of(0))
    with closing(archive), closing(by_get(archive, tmp_path)) as hall:
        peer = Peer(AE_TITLE, "127.0.0.1", archive.port, "HILUM")
        assert [sent.status for sent in store([file], peer)] == [0]
        answer = str(hall.fetched(study_of(0)).answer)
    assert answer.endswith('does not offer C-GET: enable it there, or set retrieve = "c-move"')


def test_from_elsewhere_nothing_can_be_fetched(hall: Hall) -> None:
    number = hall.ask("ONCE", "achive")
    Fetches(hall.site, hall.records, hall.inbox).wake()
    asked = hall.records.requests.one(number)
    text = "not fetched: nothing can be fetched from achive, did you mean 'archive'?"
    assert (asked.done, asked.answer) == (False, text)
