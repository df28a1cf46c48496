"""What an older Hilum did not note of its runs is noted, run by run."""

import logging
from contextlib import closing
from pathlib import Path

import pytest

from factory import a_workitem, mr_slices, put, write
from hilum.inbox import Inbox
from hilum.patients.older_runs import remember_all
from hilum.records import Records
from hilum.study.workitems import Workitems


def test_a_run_that_cannot_be_read_does_not_stop_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    data = tmp_path / "data"
    inbox = Inbox(data)
    image = mr_slices(count=1)[0]
    study = str(image.StudyInstanceUID)
    stored = inbox.store(write([image], tmp_path)[0].read_bytes())
    assert stored.path
    of_study = {"study_uid": study, "created": 1.0}
    with closing(Records(f"sqlite:///{data}/hilum.db")) as records:
        put(records, a_workitem(id="1.2.3", inputs={"in": (stored.path.name,)}, **of_study))
        odd = {"in": ("a.dcm odd",)}
        put(records, a_workitem(id="1.2.4", inputs=odd, **{**of_study, "created": 2.0}))
        with caplog.at_level(logging.ERROR):
            remember_all(records, Workitems(records, inbox, data, {}, {}))
        assert [one.image for one in records.corrections.subjects("1.2.3")] == [stored.path.name]
        assert records.workitems.without_subjects() == ["1.2.4"]
    assert "labels of the images of run 1.2.4: " in caplog.text
