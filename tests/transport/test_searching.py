"""Whether an archive has a study: a real Orthanc, asked in every way that Hilum knows."""

from collections.abc import Iterator
from typing import Any

import pytest

from factory import mr_slices, write
from hilum.config import parse
from hilum.dicom.uids import derived_uid
from hilum.searching import StudySearch
from hilum.transport.sender import send
from hilum.why.archives import ArchiveAnswer, Holding, archives_of, ask_archives
from tests.archives import Orthanc

WAYS = ("dimse", "dicomweb", "open", "orthanc", "watched")


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """It has two studies of one patient, and one of another."""
    folder = tmp_path_factory.mktemp("orthanc")
    images = []
    for name, patient in (("one", "P-1"), ("two", "P-1"), ("three", "P-10")):
        (image,) = mr_slices("series", name, 1)
        image.AccessionNumber, image.PatientID = f"A-{name}", patient
        images.append(image)
    with Orthanc(folder / "orthanc") as archive:
        listener = (archive.ae_title, "127.0.0.1", archive.dicom_port)
        assert not send(write(images, folder), listener).failed
        yield archive


def asked(orthanc: Orthanc, wanted: StudySearch) -> dict[str, ArchiveAnswer]:
    web = {"url": orthanc.dicomweb_url, "query_identifiers": True}
    destinations: list[dict[str, Any]] = [
        {"name": "dimse", "kind": "dimse", "port": orthanc.dicom_port},
        {"name": "dicomweb", "kind": "dicomweb", "url": orthanc.dicomweb_url},
        {"name": "open", "kind": "dicomweb", **web},
    ]
    sources = [
        {"name": "orthanc", "kind": "orthanc", "url": orthanc.url},
        {"name": "watched", "kind": "dicomweb", **web},
    ]
    site = parse({"data": "/nowhere", "destination": destinations, "source": sources})
    answers = {one.archive: one for one in ask_archives(archives_of(site), wanted, 60.0)}
    assert set(answers) == set(WAYS)
    return answers


def test_a_study_is_found_by_its_uid_in_every_way(orthanc: Orthanc) -> None:
    uids = tuple(derived_uid("test", name) for name in ("one", "three", "nobody has this one"))
    for wanted, text in (
        (uids[:1], "has it"),
        (uids, "has 2 of 3 studies"),
        (uids[2:], "does not have it"),
    ):
        answers = asked(orthanc, StudySearch(wanted))
        assert {one.text for one in answers.values()} == {text}, answers


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("A-one", "has it"),
        ("P-1", "has 2 studies"),  # and not that of P-10
        ("P-", "does not have it"),
        ("P-1*", "cannot be asked: it can be asked for nothing that holds *, ? or a backslash"),
    ],
)
def test_by_identifiers_they_are_asked_where_no_address_holds_them(
    orthanc: Orthanc, wanted: str, text: str
) -> None:
    answers = asked(orthanc, StudySearch.by_any(wanted))
    web = answers.pop("dicomweb")
    assert {one.text for one in answers.values()} == {text}, answers
    assert web.holding is Holding.REFUSES
    assert "set query_identifiers" in web.text or "*" in wanted
    assert wanted not in web.text


def test_a_site_that_allows_it_cures_the_refusal(orthanc: Orthanc) -> None:
    answers = asked(orthanc, StudySearch.by_any("A-two"))
    assert answers["dicomweb"].holding is Holding.REFUSES
    assert answers["open"].holding is Holding.HAS
