"""A worker runs one analysis at a time, however often it is woken."""

import threading
from pathlib import Path

import pytest

from factory import mr_slices, write
from hilum.dicom.instance import Instance
from hilum.processes.hints import wake_workers
from plugin import install_plugin, may_write

from .site import running

DIARY = """
    import time
    from pathlib import Path

    from hilum import Input, Note


    class Module:
        name, version = "diary", "1"
        needs = Input(modality="MR")

        def run(self, series):
            with (Path(__file__).parent / "diary").open("a") as diary:
                diary.write(f"{series.study_uid}\\n")
                diary.flush()
                time.sleep(0.05)
                diary.write(f"{series.study_uid}\\n")
            yield Note(series.study_uid[-8:])
"""
STUDIES = 8


def test_a_worker_that_is_woken_again_and_again_runs_one_analysis_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine counts what it has begun a moment late; a second look must not begin another."""
    install_plugin(tmp_path / "plugin", monkeypatch, DIARY, "diary")
    exams = [write(mr_slices(f"{n}", f"{n}", 3), tmp_path / f"{n}") for n in range(STUDIES)]
    out = {"name": "out", "kind": "folder", "folder": tmp_path / "out"}
    rule = {"module": "diary", "send_to": ["out"], "quiet_seconds": 0.3}
    done = threading.Event()
    host = may_write(tmp_path / "plugin", "diary")
    with running(tmp_path, destination=[out], rule=[rule], host=[host]) as hilum:

        def wake() -> None:
            while not done.wait(0.001):
                wake_workers(hilum.site.data)

        waking = threading.Thread(target=wake)
        waking.start()
        try:
            for exam in exams:
                hilum.send(exam)
            items = [hilum.settled(Instance.read(exam[0]).study_uid) for exam in exams]
        finally:
            done.set()
            waking.join()
    assert [item.workitems[0].state for item in items] == ["completed"] * STUDIES
    for item in items:
        assert [finding.text for finding in item.workitems[0].findings] == [item.study_uid[-8:]]
    lines = (tmp_path / "plugin" / "diary").read_text().splitlines()
    assert len(lines) == 2 * STUDIES
    assert lines[::2] == lines[1::2]
