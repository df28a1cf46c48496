"""The records and the engine on PostgreSQL, and a database server that is gone for a while."""

import time
from pathlib import Path

import pytest

from factory import mr_slices, write
from hilum.dicom.instance import Instance
from hilum.records import views
from plugin import install_plugin
from tests.postgres import Postgres

from .site import running

SLOW = """
    import time
    from hilum import Input, Note

    class Module:
        name, version = "slow", "1"
        needs = Input(modality="MR")

        def run(self, series):
            time.sleep(3)
            yield Note("done")
"""


def test_a_database_that_is_gone_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: Postgres
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, SLOW, "slow")
    first, second = (write(mr_slices(n, n, 3), tmp_path / n) for n in ("first", "second"))
    uids = [Instance.read(files[0]).study_uid for files in (first, second)]
    out = {"name": "out", "kind": "folder", "folder": tmp_path / "out"}
    rule = {"module": "slow", "send_to": ["out"]}
    with running(tmp_path, database=postgres.database(), destination=[out], rule=[rule]) as hilum:
        hilum.send(first)
        kinds = ["receiving", "complete", "scheduled", "running"]

        def begun() -> bool:
            events = [event.kind for event in views.trace(hilum.records, uids[0])]
            return set(kinds) <= set(events)

        hilum.until(begun, "the module")
        postgres.crash()
        hilum.send(second)  # is accepted all the same
        gone = time.monotonic()
        while time.monotonic() - gone < 8:
            hilum.supervisor.check()
            time.sleep(0.1)
        postgres.start()
        states = [hilum.settled(uid).workitems[0].state for uid in uids]
    assert states == ["completed", "completed"]
