"""The records and the engine on PostgreSQL, and a database server that is gone for a while."""

import re
from pathlib import Path

import pytest

from factory import mr_slices, write
from hilum.dicom.instance import Instance
from hilum.records import views
from plugin import GO, install_plugin
from tests.patience import until
from tests.postgres import Postgres

from .hospital import Typed, at_rest, cure, deliver, hospital_in, refused, sent_once, typed
from .site import running

__all__ = ["typed"]  # a fixture

WAITS = f"""
    import pathlib, time
    from hilum import Input, Note

    class Module:
        name, version = "waits", "1"
        needs = Input(modality="MR")

        def run(self, series):
            {GO}
            yield Note("done")
"""


def test_a_database_that_is_gone_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, postgres: Postgres
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, WAITS, "waits")
    first, second = (write(mr_slices(n, n, 3), tmp_path / n) for n in ("first", "second"))
    uids = [Instance.read(files[0]).study_uid for files in (first, second)]
    out = {"name": "out", "kind": "folder", "folder": tmp_path / "out"}
    rule = {"module": "waits", "send_to": ["out"]}
    with running(tmp_path, database=postgres.database(), destination=[out], rule=[rule]) as hilum:
        hilum.send(first)
        kinds = ["receiving", "complete", "scheduled", "running"]

        def begun() -> bool:
            events = [event.kind for event in views.trace(hilum.records, uids[0])]
            return set(kinds) <= set(events)

        hilum.until(begun, "the module")
        postgres.crash()
        hilum.send(second)  # is accepted all the same
        (tmp_path / "plugin" / "go").touch()
        log = hilum.site.data / "logs" / "hilum.log"

        def wait_for_it() -> bool:
            hilum.supervisor.check()
            found = re.findall(r"hilum (\w+).* the records do not answer", log.read_text())
            return {"gateway", "worker"} <= set(found)

        try:
            until(wait_for_it, log.read_text)
        finally:
            postgres.start()
        states = [hilum.settled(uid).workitems[0].state for uid in uids]
    assert states == ["completed", "completed"]


def test_a_database_that_was_lost_is_made_again_and_nothing_is_sent_twice(
    tmp_path: Path, postgres: Postgres, typed: Typed
) -> None:
    url = postgres.database()
    with hospital_in(tmp_path, database=url) as hospital:
        with hospital.run() as hilum:
            deliver(hilum, hospital, "one")
            before = at_rest(hilum, hospital, "one")
        postgres.empty(url)
        said = refused(hospital)
        assert "the database is empty, but the data folder is not" in said
        assert "1 study put back" in cure(hospital, said, typed)
        with hospital.run() as hilum:
            assert at_rest(hilum, hospital, "one") == before
            deliver(hilum, hospital, "two")
        assert "2 studies on record already" in typed(hospital, "hilum recover")[1]
        sent_once(hospital, 2)
