"""The conformance statement says what the code does, and each test that it names is there."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, UncompressedTransferSyntaxes

from hilum.dicom import codes
from hilum.dicom import pixels as _decoders  # noqa: F401 - registers ours
from hilum.findings import Findings, ParametricMap
from hilum.objects import write_objects, write_withdrawal
from hilum.transport.dimse import TRANSFER_SYNTAXES, VERIFICATION, is_storage_class
from hilum.transport.query import FIND, GET, MOVE, PATIENT_ROOT_FIND
from tests.objects import exams

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/reference/conformance.md").read_text()


def rows_below(heading: str) -> list[list[str]]:
    """The cells of the first table below a heading of the page, without its head."""
    lines = PAGE.split(f"\n## {heading}\n", 1)[1].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def is_decoded(syntax: UID) -> bool:
    if syntax in UncompressedTransferSyntaxes:
        return True
    try:
        return get_decoder(syntax).is_available
    except NotImplementedError:
        return False


def test_transfer_syntaxes_are_those_that_are_accepted_and_decoded() -> None:
    written = [
        [UID(uid).name, uid, "yes" if is_decoded(UID(uid)) else "no"] for uid in TRANSFER_SYNTAXES
    ]
    assert rows_below("Transfer syntaxes") == written, "write it anew: " + "\n".join(
        f"| {' | '.join(row)} |" for row in written
    )


def test_what_is_created_is_in_the_table(tmp_path: Path) -> None:
    study = exams.write_exam(tmp_path, shape=(6, 12, 12))
    series = study.series[0]
    analysis = exams.analysis_of(study, series)
    given = ParametricMap(exams.grid(series), codes.VOLUME, codes.MILLILITRE, "Map")
    with_map = replace(analysis, findings=Findings((*analysis.findings.items, given)))
    made = [content for _, content in write_objects(with_map)]
    alone = replace(analysis, findings=Findings(analysis.findings.items[:1]))
    made += [content for _, content in write_objects(alone, ("seg",), "labelmap")]
    made.append(write_withdrawal(analysis, list(series.instances), "Of another structure."))
    stated = {(row[1], row[2]) for row in rows_below("Created objects")}
    assert described(made) == stated


def test_each_result_names_the_algorithm_by_a_device(tmp_path: Path) -> None:
    study = exams.write_exam(tmp_path, shape=(6, 12, 12))
    analysis = exams.analysis_of(study, study.series[0])
    made = [content for _, content in write_objects(analysis) if isinstance(content, Dataset)]
    assert {str(one.Modality) for one in made} >= {"SEG", "SR", "DOC"}
    for one in made:
        [equipment] = one.ContributingEquipmentSequence
        [purpose] = equipment.PurposeOfReferenceCodeSequence
        assert purpose.CodeMeaning == "Processing Algorithm"
        assert equipment.DeviceUID == analysis.module.device_uid


def described(made: Iterable[Dataset | bytes]) -> set[tuple[str, str]]:
    """SOP class by UID, and the name of the transfer syntax, of each object."""
    objects = [one for one in made if isinstance(one, Dataset)]
    return {(str(o.SOPClassUID), o.file_meta.TransferSyntaxUID.name) for o in objects}


def test_the_sop_classes_of_services_are_named() -> None:
    for uid in (VERIFICATION, FIND, PATIENT_ROOT_FIND, GET, MOVE):
        assert uid in PAGE, UID(uid).name
    assert is_storage_class("1.2.840.10008.5.1.4.1.1.4") and is_storage_class("1.3.4.5")


@pytest.fixture(scope="module")
def tests_there() -> set[str]:
    found: set[str] = set()
    for file in (ROOT / "tests").rglob("test_*.py"):
        found.update(re.findall(r"^def (test_\w+)", file.read_text(), re.MULTILINE))
    return found


def test_each_test_that_it_names_is_there(tests_there: set[str]) -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 20 and not named - tests_there


def test_each_status_is_shown_by_a_test() -> None:
    rows = rows_below("Storage SCP status")
    assert [status for status, *_ in rows] == ["0x0000", "0xB000", "0xA700", "0xA900", "0xC000"]
    assert all(shown.startswith("`test_") for _, _, shown in rows)


PROFILES = (
    "AI Results (IHE AIR)",
    "Imaging Object Change Management (IHE IOCM)",
    "Assessment of results (IHE AIRAI)",
    "Worklists (IHE AIW-I)",
)


@pytest.mark.parametrize("profile", PROFILES)
def test_each_item_of_a_profile_is_met_with_a_test_or_said_not_to_be(profile: str) -> None:
    rows = rows_below(profile)
    assert rows
    for item, state, shown in rows:
        assert state.split(":")[0] in ("met", "partly", "not"), item
        assert state.startswith("not") or shown.startswith("`test_"), item
