"""Odd input: the cases of the lab, the judge that says whether they are right, and the page.

The usual run takes all that must be refused, and of those that must be received a third, which cost
more; `--whole` takes all of them.
"""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from hilum.offline.report import ReportState
from hilum_lab.odd_input.case import Case, MustReceive
from hilum_lab.odd_input.cases import CASES
from hilum_lab.odd_input.judge import Heard, JudgedCase, judged
from hilum_lab.odd_input.readers import simple_itk
from hilum_lab.odd_input.run import run, write
from hilum_lab.odd_input.table import as_markdown, line_of

pytestmark = pytest.mark.slow
PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "odd-input.md"
BY_TITLE = {case.title: case for case in CASES}


def left_to_a_whole_run() -> set[str]:
    """The titles that are not in the sample."""
    alike = defaultdict(list)
    for case in CASES:
        if any(isinstance(right, MustReceive) for right in case.right):
            alike[case.group, case.modality].append(case.title)
    return {title for titles in alike.values() for n, title in enumerate(titles) if n % 3}


LEFT_OUT = left_to_a_whole_run()


@pytest.fixture(scope="module")
def is_whole(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--whole"))


@pytest.fixture(scope="module")
def rows(is_whole: bool, tmp_path_factory: pytest.TempPathFactory) -> dict[str, JudgedCase]:
    """All cases of this run, made and judged once."""
    cases = [case for case in CASES if is_whole or case.title not in LEFT_OUT]
    made = run(cases, tmp_path_factory.mktemp("odd"), simple_itk)
    return {row.case.title: row for row in made}


@pytest.mark.parametrize(
    "title",
    [
        pytest.param(title, marks=pytest.mark.whole if title in LEFT_OUT else ())
        for title in BY_TITLE
    ],
)
def test_what_a_module_receives_is_right(title: str, rows: dict[str, JudgedCase]) -> None:
    row = rows[title]
    assert not row.wrong, f"{row.wrong}: {row.outcome}"


def test_there_are_many_cases_and_each_has_a_name_of_its_own() -> None:
    assert len(BY_TITLE) == len(CASES) >= 60
    assert sum("Frames" in case.group for case in CASES) >= 20, "enhanced objects"


def test_the_independent_reader_has_judged_what_it_can_read(
    is_whole: bool, rows: dict[str, JudgedCase]
) -> None:
    read = [row for row in rows.values() if simple_itk.__name__ in row.judges]
    assert len(read) >= (50 if is_whole else 20)
    assert {row.case.modality for row in read} == {"MR", "CT", "PT"}


def test_the_page_is_what_a_run_writes(is_whole: bool, rows: dict[str, JudgedCase]) -> None:
    stale = "the page is stale: hilum odd-input --out docs/explanation/odd-input.md"
    page = PAGE.read_text()
    for number, case in enumerate(CASES, start=1):
        if case.title in rows:
            assert f"\n{line_of(number, rows[case.title])}\n" in page, stale
    assert not is_whole or page == as_markdown([rows[case.title] for case in CASES]), stale


# The judge ------------------------------------------------------------------------------------


@pytest.fixture
def axial() -> Case:
    return BY_TITLE["Where the slices are: axial"]


def true_volume(case: Case) -> tuple[np.ndarray, np.ndarray]:
    planes = case.exam().planes
    affine = np.diag([0.0, 0.0, 0.0, 1.0])
    affine[2, 0] = affine[1, 1] = affine[0, 2] = 1.0
    affine[:3, 3] = planes[0].position
    return np.stack([plane.values() for plane in planes]).astype(np.float32), affine


def wrong(case: Case, folder: Path, array: np.ndarray, affine: np.ndarray) -> str:
    heard = Heard(ReportState.ANALYSED, "", (array, affine))
    return judged(case, folder, heard, simple_itk).wrong


def test_the_judge_is_content_with_the_truth_and_with_nothing_else(
    axial: Case, tmp_path: Path
) -> None:
    folder = tmp_path / "axial"
    write(axial.exam(), folder)
    array, affine = true_volume(axial)
    assert wrong(axial, folder, array, affine) == ""

    assert "slices" in wrong(axial, folder, array[:-1], affine)
    assert "values are not" in wrong(axial, folder, array[::-1], affine)
    assert "values are not" in wrong(axial, folder, array + 2, affine)
    assert "values are not" in wrong(axial, folder, array[:, ::-1], affine)
    moved = affine.copy()
    moved[0, 3] += 0.4
    assert "beside its place" in wrong(axial, folder, array, moved)
    longer = affine.copy()
    longer[2, 0] = 1.05
    assert "beside its place" in wrong(axial, folder, array, longer)
    swapped = array.copy()
    swapped[[3, 4]] = swapped[[4, 3]]
    assert "values are not" in wrong(axial, folder, swapped, affine)


def test_the_judge_sees_two_scans_that_are_mixed(tmp_path: Path) -> None:
    case = BY_TITLE["Several volumes in one series, and what is none: two echoes"]
    planes = case.exam().planes
    array, affine = true_volume(BY_TITLE["Where the slices are: axial"])
    words = "echo 1 of 2: 20 ms, echo 2 of 2: 80 ms"

    def verdict(values: np.ndarray) -> str:
        return judged(
            case, tmp_path, Heard(ReportState.ANALYSED, words, (values, affine)), None
        ).wrong

    assert planes[0].offset != planes[1].offset
    assert verdict(array) == ""
    mixed = array.copy()
    mixed[::2] += planes[1].offset - planes[0].offset
    assert "mixed" in verdict(mixed)


def test_the_judge_wants_a_refusal_in_true_words(tmp_path: Path) -> None:
    case = BY_TITLE["Where the slices are: gantry tilt of 2.5 degrees"]
    received = Heard(ReportState.ANALYSED, "gantry tilt of 2.5", true_volume(case))
    assert "a module received it" in judged(case, tmp_path, received, None).wrong
    untrue = Heard(ReportState.NOT_APPLICABLE, "8 slices missing")
    assert "does not say" in judged(case, tmp_path, untrue, None).wrong
    assert (
        judged(case, tmp_path, Heard(ReportState.NOT_APPLICABLE, "gantry tilt of 2.5°"), None).wrong
        == ""
    )
