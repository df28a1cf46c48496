"""One study is fetched from a real archive: once, whole, never our own results, room respected."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hilum.config import parse
from hilum.config.site import Site
from hilum.errors import DeliveryDelayed
from hilum.fetching import AGAIN_SECONDS, Fetch, Fetches
from hilum.hints import Counted, HintReceiver, Released, Stored, gateway_address
from hilum.inbox import Inbox, Receipt
from hilum.records import Records
from hilum.records.models import Request, Wish, WrittenResult
from hilum.records.states import RequestAction
from hilum.transport.query import move
from hilum.transport.scu import Peer
from hilum.why.archives import archives_of
from hilum_lab.network.processes import available_port
from tests.archives import Orthanc
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

    def __init__(self, folder: Path, source: dict[str, object], **receiver: object) -> None:
        settings = {"low_water_mb": 0, **receiver}
        self.site: Site = parse({"data": folder, "receiver": settings, "source": [source]})
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


@pytest.fixture(params=["orthanc", "dicomweb"])
def hall(request: pytest.FixtureRequest, orthanc: Orthanc, tmp_path: Path) -> Iterator[Hall]:
    more = {"orthanc": {"url": orthanc.url}, "dicomweb": {"url": orthanc.dicomweb_url}}
    more["dicomweb"]["query_identifiers"] = True
    source = {"name": "archive", "kind": request.param, **more[request.param]}
    made = Hall(tmp_path / "data", source)
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
    kind = hall.archive.group.load(hall.archive.settings.kind)
    listed = kind(hall.archive.settings).listed(study_of(0))
    ours = listed[0].sop_instance_uid
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
    unknown = Peer("ORTHANC", "127.0.0.1", orthanc.dicom_port, "NOBODY", timeout=5)
    with pytest.raises(DeliveryDelayed, match="register AE title HIPPOAI there"):
        list(move(study_of(1), "HIPPOAI", unknown))


def test_from_elsewhere_nothing_can_be_fetched(hall: Hall) -> None:
    number = hall.ask("ONCE", "achive")
    Fetches(hall.site, hall.records, hall.inbox).wake()
    asked = hall.records.requests.one(number)
    text = "not fetched: nothing can be fetched from achive, did you mean 'archive'?"
    assert (asked.done, asked.answer) == (False, text)
