"""`hilum serve` makes of odd input what `hilum run` makes of it."""

from pathlib import Path

import numpy as np
import pytest

from hilum.records.states import WorkitemState
from hilum_lab.odd_input.cases import CASES
from hilum_lab.odd_input.installed import modules_installed
from hilum_lab.odd_input.module import kept
from hilum_lab.odd_input.run import heard_of_run, write_all
from tests.plugin import may_write
from tests.system.site import running

pytestmark = pytest.mark.slow

Received = tuple[np.ndarray, np.ndarray] | None
SAMPLE = (
    "Where the slices are: double oblique, 20 and 35 degrees",
    "Where the slices are: InstanceNumber in another order than the positions",
    "Where the slices are: gantry tilt of 2.5 degrees",
    "Where the slices are: one slice missing",
    "Where the slices are: slices 3 mm apart, then 6 mm",
    'Where the slices are: SliceThickness "1,0"',
    "Several volumes in one series, and what is none: two frames of reference",
    "Several volumes in one series, and what is none: two echoes",
    "Several volumes in one series, and what is none: screenshot beside the slices",
    "What the values mean: slope only",
    "What the values mean: slope 0 in one slice",
    "What the values mean: colour map called MR",
    "What the values mean: JPEG-LS",
    "Frames in one object: Enhanced MR",
    "Frames in one object: two echoes",
    "Frames in one object: concatenation in two files",
    "Whose images they are: two patients in one series",
    "Whose images they are: scouts of another patient in the study",
    "Files as they lie in folders: one file twice",
)
RULE = {
    "module": "lab-receives-mr",
    "send_to": ["out"],
    "quiet_seconds": 2,
    "study_quiet_seconds": 2,
    "give_up_seconds": 3,
}
STATES = {WorkitemState.COMPLETED: ("analysed", "refused")}  # what `serve` calls it, and `run`


def test_serve_and_run_agree(tmp_path: Path) -> None:
    """The same words, the same state, and a module receives the same voxels in the same place."""
    cases = [case for case in CASES if case.title in SAMPLE]
    assert len(cases) == len(SAMPLE)
    folders = write_all(cases, tmp_path / "exams")
    by_run = heard_of_run(cases, folders, tmp_path / "run")
    received = tmp_path / "received"
    destination = {"name": "out", "kind": "folder", "folder": str(tmp_path / "out")}
    host = [may_write(received, RULE["module"])]
    with (
        modules_installed(tmp_path / "modules", received),
        running(tmp_path, destination=[destination], rule=[RULE], host=host) as hilum,
    ):
        hilum.send([path for folder in folders.values() for path in sorted(folder.iterdir())])
        for case in cases:
            hilum.settled(case.study_uid)
            (item,) = hilum.records.workitems.of_study(case.study_uid)
            heard = by_run[case.title]
            told = f"{case.title}: {item.reason}, {item.failure}"
            assert heard.state in STATES.get(item.state, (item.state,)), told
            for verdict in item.verdicts:
                assert str(verdict) in heard.words, case.title
            assert_same(kept(received, case.study_uid), heard.volume, case.title)


def assert_same(one: Received, other: Received, title: str) -> None:
    assert (one is None) == (other is None), title
    if one and other:
        np.testing.assert_array_equal(one[0], other[0], title)
        np.testing.assert_array_equal(one[1], other[1], title)
