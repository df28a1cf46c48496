"""Everything that can wait says so: state, reason, alarm, cure; and retention leaves it alone.

The table is that of docs/explanation/waits.md.
"""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from factory import OURS, a_delivery, a_study, a_workitem, put
from hilum.config import parse
from hilum.config.site import Rule
from hilum.dicom.doubt import DIFFERENT
from hilum.housekeeping.retention import DAY, Retention
from hilum.inbox import Inbox
from hilum.records import Records, tables, views
from hilum.records.models.patients import Correction
from hilum.records.states import (
    ARRIVED,
    UNSETTLED,
    DeliveryState,
    DestinationState,
    PausedKind,
    StudyState,
    StudyWait,
    WorkitemKind,
    WorkitemState,
)
from hilum.study.arrivals import Arrivals
from hilum.study.workitems import Workitems
from hilum.why.explanation import Cause
from hilum.why.question import explain
from hilum.wording import NOT_JUDGED, NOT_JUDGED_NOW, NOT_JUDGED_YET
from tests.core.test_alarms import (
    NOW,
    SITE,
    Scene,
    an_executor,
    destination,
    has_no_judge,
    late,
    parked,
    pause,
)

UID = "1.2"
PAGE = (Path(__file__).parents[2] / "docs" / "explanation" / "waits.md").read_text()
AN_HOUR = NOW - 3600
BY_ITSELF = "none: it ends by itself"


@dataclass(frozen=True)
class Wait:
    """What waits, as the page calls it; how it is made, and what is said of it.

    `alarm` is "" where it ends by itself, `cure` a command or words of one that is told.
    """

    what: str
    make: Callable[[Scene], object]
    state: StudyState
    cause: Cause
    alarm: str = ""
    cure: str = ""
    on_record: WorkitemState | DeliveryState | StudyWait | None = None


def item(state: WorkitemState, **values: Any) -> Callable[[Scene], object]:
    about = {"state": state, "created": AN_HOUR, **values}
    return lambda scene: put(scene.records, a_workitem(**about))


def delivery(state: DeliveryState, **values: Any) -> Callable[[Scene], object]:
    def make(scene: Scene) -> None:
        put(scene.records, a_workitem(state=WorkitemState.DELIVERING, created=AN_HOUR))
        put(scene.records, a_delivery("1.2.3", state=state, **values))

    return make


def also(*makes: Callable[[Scene], object]) -> Callable[[Scene], object]:
    return lambda scene: [make(scene) for make in makes]


def worker(scene: Scene) -> None:
    scene.put(tables.executor, an_executor("worker", NOW))


def correction(scene: Scene) -> None:
    scene.put(tables.correction, Correction(UID, "k", NOW, ("MR1",), True))


def note(scene: Scene) -> None:
    """The note that takes a result back is refused."""
    put(scene.records, a_workitem(id="1.2.2", state=WorkitemState.WITHDRAWN, created=AN_HOUR))
    about = {"kind": WorkitemKind.WITHDRAWAL, "about": "1.2.2", "state": WorkitemState.PARKED}
    put(scene.records, a_workitem(created=AN_HOUR, **about))
    put(scene.records, a_delivery("1.2.3", state=DeliveryState.REFUSED))


def other_hours() -> str:
    """Those of a rule that has none of them now: half a day from here."""
    hour = time.localtime(NOW).tm_hour
    return f"{(hour + 11) % 24:02}:00-{(hour + 13) % 24:02}:00"


S, D, W = WorkitemState, DeliveryState, StudyWait
WAITS = [
    Wait(
        "more images may come",
        lambda scene: put(scene.records, a_study(study_uid=UID, settled_images=0, last_at=NOW)),
        StudyState.RECEIVING, Cause.WAITING, on_record=W.IMAGES,
    ),
    Wait(
        "the module of a rule cannot be used",
        lambda scene: has_no_judge(scene, f"{NOT_JUDGED_YET}: the module m cannot be used"),
        StudyState.UNJUDGED, Cause.UNJUDGED, "unjudged module", "hilum modules", W.MODULE,
    ),
    Wait(
        "this machine lacks something",
        lambda scene: has_no_judge(scene, f"{NOT_JUDGED_NOW}: no memory is left", 301),
        StudyState.UNJUDGED, Cause.UNJUDGED, "unjudged machine", "hilum check", W.MACHINE,
    ),
    Wait(
        "an error came up while it was judged",
        lambda scene: has_no_judge(scene, f"{NOT_JUDGED}: TypeError in a.py"),
        StudyState.UNJUDGED, Cause.UNJUDGED, "unjudged mistake", "hilum trace 1.2", W.MISTAKE,
    ),
    Wait(
        "corrected patient data came", correction,
        StudyState.HELD, Cause.WHOSE, "corrections", "hilum decide 1.2",
    ),
    Wait(
        "its images name different patients", item(S.HELD, reason=DIFFERENT),
        StudyState.HELD, Cause.WHOSE, "patients", "hilum decide 1.2",
    ),
    Wait(
        "images are missing", item(S.HELD, reason="a gap of 3 slices"),
        StudyState.HELD, Cause.GAPS, "held", "send the missing images", S.HELD,
    ),
    Wait(
        "no worker runs", item(S.SCHEDULED),
        StudyState.SCHEDULED, Cause.QUEUED, "engine", "hilum serve", S.SCHEDULED,
    ),
    Wait(
        "the worker has gone that had begun", item(S.RUNNING),
        StudyState.RUNNING, Cause.RUNNING, "engine", "hilum serve", S.RUNNING,
    ),
    Wait(
        "a person has disabled the module, which no rule names any more",
        also(item(S.SCHEDULED), worker, lambda scene: pause(scene, PausedKind.MODULE, "m")),
        StudyState.SCHEDULED, Cause.QUEUED, "paused module m", "hilum modules enable m",
    ),
    Wait(
        "the server that computes the module is away",
        also(item(S.SCHEDULED, failure="the server of m is down"), worker),
        StudyState.SCHEDULED, Cause.QUEUED, "server m", "see to the server",
    ),
    Wait(
        "the hours of its rule have not come",
        also(item(S.SCHEDULED, rule=Rule(module="m", hours=other_hours())), worker),
        StudyState.SCHEDULED, Cause.QUEUED,
    ),
    Wait(
        "another module has not given the findings that it is to use",
        also(
            item(S.SCHEDULED, id="1.2.2", rule=Rule(module="m", hours=other_hours())),
            item(S.SCHEDULED, created=NOW - DAY, used={"part": "1.2.2"}),
            worker,
        ),
        StudyState.SCHEDULED, Cause.QUEUED,
    ),
    Wait(
        "it failed, and no destination is to know", item(S.FAILED, failure="it died"),
        StudyState.FAILED, Cause.FAILED, "failed", "hilum retry 1.2",
    ),
    Wait(
        "it is a result's turn at the destination",
        also(delivery(D.WAITING, owed_at=NOW), worker),
        StudyState.DELIVERING, Cause.DELIVERING, on_record=D.WAITING,
    ),
    Wait(
        "the destination does not answer",
        also(
            delivery(D.DELAYED, owed_at=NOW, reason="it is down"),
            lambda scene: destination(scene, DestinationState.UNREACHABLE, 301),
        ),
        StudyState.DELIVERING, Cause.DELIVERING, "destination pacs", "hilum destinations",
        S.DELIVERING,
    ),
    Wait(
        "the destination answers, and does not take it", lambda scene: late(scene, 3601),
        StudyState.DELIVERING, Cause.DELIVERING, "late pacs", "hilum trace 1.2", D.DELAYED,
    ),
    Wait(
        "a person has paused the destination",
        also(delivery(D.WAITING), lambda scene: pause(scene, PausedKind.DESTINATION, "pacs")),
        StudyState.DELIVERING, Cause.DELIVERING, "paused destination pacs",
        "hilum resume pacs --kind destination",
    ),
    Wait(
        "the destination has not shown it yet", delivery(D.ASKED, owed_at=NOW),
        StudyState.DELIVERING, Cause.DELIVERING, on_record=D.ASKED,
    ),
    Wait(
        "the destination refuses it, or the settings no longer define it",
        lambda scene: parked(scene, D.REFUSED),
        StudyState.PARKED, Cause.PARKED, "parked pacs", "hilum release 1.2.3", D.REFUSED,
    ),
    Wait(
        "the destination never showed it", lambda scene: parked(scene, D.NOT_SHOWN),
        StudyState.PARKED, Cause.NOT_SHOWN, "parked pacs", "hilum release 1.2.3", D.NOT_SHOWN,
    ),
    Wait(
        "the destination shows it under another patient",
        lambda scene: parked(scene, D.MISFILED),
        StudyState.PARKED, Cause.MISFILED, "misfiled pacs", "hilum release 1.2.3", D.MISFILED,
    ),
    Wait(
        "the destination refuses the note that takes it back", note,
        StudyState.PARKED, Cause.PARKED, "parked pacs", "hilum release 1.2.3", S.PARKED,
    ),
]  # fmt: skip


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    site = parse({**SITE, "data": str(tmp_path), "retention": {"days": 1}})
    tmp_path.chmod(0o700)
    with closing(Records(f"sqlite:///{tmp_path}/hilum.db")) as records:
        yield Scene(site, records)


@pytest.mark.parametrize("wait", WAITS, ids=lambda wait: wait.what)
def test_what_waits_says_so_everywhere_and_stays(wait: Wait, scene: Scene) -> None:
    wait.make(scene)
    records = scene.records
    if records.studies.get(UID) is None:
        put(records, a_study(study_uid=UID, folder="f", settled_images=3, last_at=AN_HOUR))
    listed = records.search.of([UID])[UID]
    assert listed.state is wait.state
    said = explain(scene.site, records, listed.address, NOW)
    assert said.cause is wait.cause
    found = scene.alarms()
    assert [alarm.name for alarm in found] == ([wait.alarm] if wait.alarm else [])
    told = [*map(str, said.cures), *(alarm.cure_here for alarm in found)]
    assert any(wait.cure in text for text in told) or not wait.alarm, told
    view = views.study(records, UID)
    assert bool(view.obstacle) is (wait.state is StudyState.UNJUDGED)
    assert_kept(scene)


def assert_kept(scene: Scene) -> None:
    """Retention leaves its images alone, a month later, and with a full disk."""
    inbox = Inbox(scene.site.data)
    folder = inbox.study_folder(UID)
    folder.mkdir(parents=True)
    (folder / "1.dcm").write_bytes(b"image")

    def month_later() -> float:
        return NOW + 31 * DAY

    workitems = Workitems(scene.records, inbox, scene.site.data, {}, {}, month_later)
    arrivals = Arrivals(inbox, scene.records, OURS, month_later)
    parts = (scene.site, scene.records, inbox, arrivals, workitems, OURS)
    retention = Retention(*parts, clock=month_later, filled=lambda _: 99.0)
    retention.sweep()
    while retention.is_busy:
        retention.turn()
    assert (folder / "1.dcm").exists()


def test_the_table_has_everything_that_can_wait() -> None:
    """What is settled waits for nothing."""
    waiting = {state for state in WorkitemState if not state.final}
    assert set(UNSETTLED) == {*DeliveryState} - {*ARRIVED, DeliveryState.CANCELLED}
    assert {wait.on_record for wait in WAITS if wait.on_record} >= {
        *waiting,
        *UNSETTLED,
        *StudyWait,
    }


def test_the_page_has_the_same_table() -> None:
    rows = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| [^|]+ \|$", PAGE, re.MULTILINE)
    of_studies = [row for row in rows if row[1] in {*StudyState}]
    assert of_studies == [
        (wait.what, wait.state, f"`{_general(wait.alarm)}`" if wait.alarm else BY_ITSELF)
        for wait in WAITS
    ]


def _general(alarm: str) -> str:
    """The name of an alarm without that of a part of a site."""
    return re.sub(r"\bpacs$", "NAME", re.sub(r"(?<=module |server )m$", "NAME", alarm))
