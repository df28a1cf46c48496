"""Studies that a rule has missed are found, once it is mended, and no others."""

import math
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from factory import a_study, a_workitem, mr_slices, put, write
from hilum.config import parse
from hilum.config.site import Site
from hilum.inbox import Inbox
from hilum.module import Input
from hilum.records import Records
from hilum.records.states import WorkitemState
from hilum.study.assembly import Run, decide
from hilum.study.missed import missed
from hilum.study.runs import files_of
from hilum.study.trying import study_on_disk

NEEDS = {"bright": {"series": Input("MR")}, "dark": {"series": Input("CT")}}


@pytest.fixture
def records() -> Iterator[Records]:
    with closing(Records("sqlite://")) as opened:
        yield opened


def site_of(folder: Path, *rules: dict[str, object]) -> Site:
    return parse({"data": str(folder), "rule": list(rules)})


def came(folder: Path, records: Records, name: str, at: float, is_settled: bool = True) -> str:
    """A study of four images, on disk and on record; its UID."""
    slices = mr_slices(study=name, count=4, description="HippoCrop")
    inbox = Inbox(folder)
    for path in write(slices, folder / "scan" / name):
        inbox.store(path.read_bytes())
    uid = str(slices[0].StudyInstanceUID)
    row = a_study(study_uid=uid, folder=inbox.study_folder(uid).name, images=4, first_at=at)
    put(records, row.__class__(**vars(row) | {"last_at": at, "settled_images": 4 * is_settled}))
    return uid


BRIGHT = {"module": "bright", "series": {"SeriesDescription": "^Hippo"}}


def test_those_that_a_mended_rule_would_analyse(tmp_path: Path, records: Records) -> None:
    old, new = (came(tmp_path, records, name, at) for name, at in (("old", 100.0), ("new", 200.0)))
    came(tmp_path, records, "open", 300.0, is_settled=False)
    came(tmp_path, records, "ancient", 10.0)
    wrong = site_of(tmp_path, {"module": "bright", "series": {"SeriesDescription": "^T2"}})
    assert missed(wrong, records, NEEDS, since=50.0).found == ()
    mended = site_of(tmp_path, BRIGHT, {"module": "dark"})
    found = missed(mended, records, NEEDS, since=50.0)
    assert [one.study_uid for one in found.found] == [new, old]
    assert [one.rules for one in found.found] == [("bright",), ("bright",)]
    assert (found.looked_at, found.rest) == (3, None)
    assert missed(mended, records, NEEDS, 50.0, rules=["dark"]).found == ()
    first = missed(mended, records, NEEDS, 50.0, before=200.0)
    assert [one.study_uid for one in first.found] == [old]
    assert missed(mended, records, NEEDS, 50.0, patience=-1.0).rest == 300.0


@pytest.mark.parametrize("state", [WorkitemState.COMPLETED, WorkitemState.CANCELLED])
def test_what_had_the_same_images_by_another_rule_was_not_missed(
    tmp_path: Path, records: Records, state: WorkitemState
) -> None:
    uid = came(tmp_path, records, "study", 100.0)
    site = site_of(tmp_path, BRIGHT)
    arrival = study_on_disk(uid, Inbox(tmp_path).study_folder(uid))
    run = decide(arrival, NEEDS["bright"], site.rule[0], math.inf)
    assert isinstance(run, Run)
    item = a_workitem(
        id="1.1", study_uid=uid, module="bright", state=state, inputs=files_of(run.selection)
    )
    put(records, item)
    assert missed(site, records, NEEDS, since=50.0).found == ()


def test_a_study_whose_images_were_removed_is_not_offered(tmp_path: Path, records: Records) -> None:
    uid = came(tmp_path, records, "study", 100.0)
    for image in Inbox(tmp_path).study_folder(uid).glob("*.dcm"):
        image.unlink()
    assert missed(site_of(tmp_path, BRIGHT), records, NEEDS, since=50.0).found == ()


def test_a_study_that_the_same_rule_has_had_need_not_be_read(
    tmp_path: Path, records: Records
) -> None:
    uid = came(tmp_path, records, "study", 100.0)
    site = site_of(tmp_path, BRIGHT)
    assert len(missed(site, records, NEEDS, since=50.0).found) == 1
    (rule,) = site.rule
    put(records, a_workitem(id="1.1", study_uid=uid, module="bright", rule_key=rule.key))
    found = missed(site, records, NEEDS, since=50.0)
    assert (found.found, found.looked_at) == ((), 1)


def test_what_is_on_record_is_read_of_many_studies_at_once(
    tmp_path: Path, records: Records
) -> None:
    """A week has hundreds, and a page must not ask for each."""
    site = site_of(tmp_path, BRIGHT)
    (rule,) = site.rule
    for number in range(60):
        uid, key = f"1.{number}", rule.key if number % 2 else "of another rule"
        at = 100.0 + number
        put(records, a_study(study_uid=uid, folder=uid, last_at=at, settled_images=3))
        put(records, a_workitem(id=f"w{number}", study_uid=uid, rule_key=key))
    asked: list[str] = []
    engine = records.database.engine
    sa.event.listen(engine, "before_cursor_execute", lambda *said: asked.append(said[2]))
    assert missed(site, records, NEEDS, since=50.0).looked_at == 60
    assert len(asked) == 2 + 2 + 1  # of fifty at once: these, and their runs; then there are none
