"""Odd archives: a sample is delivered to and cured; `hilum archives` tries all of them."""

from pathlib import Path

import pytest

from hilum_lab.odd_archives.cases import CASES
from hilum_lab.odd_archives.run import TriedArchive, run

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "archives.md"
BY_TITLE = {f"{case.group}: {case.name}": case for case in CASES}
SAMPLE = (
    "DICOM: what C-STORE is answered with: does not store segmentations (0x0122)",
    "DICOM: under which patient and UIDs it is filed: gives it a new SOP Instance UID and warns "
    "(0xB000)",
    "DICOM: under which patient and UIDs it is filed: has the images under another issuer of the "
    "Patient ID",
    "DICOM: how it can be asked: has no C-FIND; another node answers for it",
    "DICOM: how it can be asked: gives one match of each query, and ends longer lists with 0xA700",
    "DICOM: how it can be asked: is asked at another node, which rejects our association",
    "DICOM: storage commitment: commits itself on the same association",
    "DICOMweb: what STOW-RS is answered with: breaks off in place of an answer, and has not kept "
    "it",
    "DICOMweb: what STOW-RS is answered with: has moved to another host (308)",
    "DICOMweb: what STOW-RS is answered with: has moved from https to http (308)",
)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TriedArchive]:
    made = run([BY_TITLE[title] for title in SAMPLE], tmp_path_factory.mktemp("archives"))
    return dict(zip(SAMPLE, made, strict=True))


@pytest.mark.parametrize("title", SAMPLE)
def test_it_is_delivered_once_and_the_cure_cures(title: str, rows: dict[str, TriedArchive]) -> None:
    row = rows[title]
    assert not row.wrong, f"{row.wrong}: {row.before}, {row.after}"


def test_there_are_many_and_the_page_has_each() -> None:
    assert len(BY_TITLE) == len(CASES) >= 40
    page = PAGE.read_text()
    missing = [case.name for case in CASES if f"| {case.name} |" not in page]
    assert not missing, "the page is stale: hilum archives --out docs/explanation/archives.md"
