"""Every alarm begins and ends by itself, and each change is told once to each notifier."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from factory import a_delivery, a_study, a_workitem, put
from hilum.alarms import Alarm, alarms_now, registry, views_of
from hilum.alarms.alarm import MOST_NAMED
from hilum.alarms.log import AlarmLog
from hilum.alarms.telling import LAST_RETRY_SECONDS, Teller
from hilum.config import parse
from hilum.config.site import Site
from hilum.config.versions import SettingsVersions
from hilum.dicom.doubt import CORRECTED, DIFFERENT
from hilum.errors import NotificationError
from hilum.notifiers import AlarmMessage
from hilum.processes.deaths import Death, deaths_in, note_death
from hilum.records import Records, tables
from hilum.records.models.alarms import BegunAlarm
from hilum.records.models.patients import Correction
from hilum.records.models.requests import WorklistStep
from hilum.records.models.standings import (
    DestinationStanding,
    Executor,
    NotedPause,
    SourceStanding,
    WorklistStanding,
)
from hilum.records.rows import insert
from hilum.records.states import (
    DeliveryState,
    DestinationState,
    EventKind,
    PausedKind,
    SourceState,
    StepState,
    WorkitemState,
    WorklistState,
)
from hilum.rejections import Rejection, RejectionKind
from hilum.severity import AlarmChange, Severity
from hilum.summary.numbers import MeasurementSummary
from hilum.summary.remarks import NoteSummary, RefusalSummary
from hilum.wording import NOT_JUDGED, NOT_JUDGED_NOW, NOT_JUDGED_YET
from tests.certificates import SelfSigned
from tests.drawn import examples

REFUSAL, NOTE = RefusalSummary("c", "No."), NoteSummary("A remark.")
REFUSED = {"state": WorkitemState.COMPLETED, "findings": (REFUSAL, NOTE)}
FAILED = {"state": WorkitemState.FAILED, "findings": (REFUSAL,), "failure": "it died"}
MEASUREMENT = MeasurementSummary("Volume", 1.0, "ml")
WELL = {"state": WorkitemState.COMPLETED, "findings": (MEASUREMENT, NOTE)}
EMPTY = {"state": WorkitemState.DELIVERING, "findings": ()}
DAY = 24 * 3600
NOW = 1_800_000_000.0


@pytest.fixture
def records(tmp_path: Path):
    records = Records(f"sqlite:///{tmp_path}/hilum.db")
    yield records
    records.close()


def alarms_after(
    records: Records, tmp_path: Path, *outcomes: dict, ago: float = 0.0
) -> list[Alarm]:
    site = parse(
        {"data": str(tmp_path), "receiver": {"low_water_mb": 0}, "rule": [{"module": "tiny"}]}
    )
    for number, outcome in enumerate(outcomes):
        created = NOW - ago + number
        put(records, a_workitem(id=f"w{number}", module="tiny", created=created, **outcome))
    AlarmLog(site, records, lambda: NOW + 60).check()
    return [alarm for alarm in alarms_now(site, records, NOW + 90) if alarm.name == "module tiny"]


@pytest.mark.parametrize("outcomes", [[FAILED] * 5, [REFUSED] * 5, [WELL, *[FAILED, REFUSED] * 3]])
def test_five_in_a_row_without_a_result_are_an_alarm(outcomes, records, tmp_path: Path) -> None:
    (alarm,) = alarms_after(records, tmp_path, *outcomes)
    assert alarm.since == NOW + 60
    last = outcomes[-5:]
    failed, refused = last.count(FAILED), last.count(REFUSED)
    said = f"{failed} failed, {refused} were refused"
    assert f"the last 5 analyses of tiny gave no result: {said}" in alarm.text


@pytest.mark.parametrize(
    "outcomes",
    [
        [FAILED] * 4,
        [*[FAILED] * 9, WELL],
        [*[REFUSED] * 4, EMPTY],
        [*[FAILED] * 4, {"state": WorkitemState.RUNNING}],
    ],
)
def test_fewer_or_one_result_among_them_is_none(outcomes, records, tmp_path: Path) -> None:
    assert alarms_after(records, tmp_path, *outcomes) == []


def test_yesterday_is_over(records, tmp_path: Path) -> None:
    assert alarms_after(records, tmp_path, *[FAILED] * 5, ago=DAY) == []


NOTIFY = {"kind": "webhook", "url": "http://127.0.0.1:1", "secret_file": "secret"}
SITE: dict[str, Any] = {
    "receiver": {"low_water_mb": 0},
    "rule": [{"module": "tiny"}],
    "destination": [{"name": "pacs", "kind": "dimse"}],
    "source": [{"name": "archive", "kind": "orthanc", "url": "http://127.0.0.1:1"}],
    "worklist": [{"name": "ris", "kind": "ups-rs", "url": "http://127.0.0.1:1"}],
    "notify": [{"name": "ops", **NOTIFY}],
}


@dataclass(frozen=True)
class Scene:
    """A site whose clock the test has."""

    site: Site
    records: Records

    def alarms(self, now: float = NOW) -> list[Alarm]:
        return alarms_now(self.site, self.records, now)

    def put(self, table: Any, row: Any) -> None:
        self.records.database.transact(partial(insert, table=table, row=row))

    def empty(self, table: Any) -> None:
        self.records.database.transact(lambda connection: connection.execute(table.delete()))


@pytest.fixture
def scene(records: Records, tmp_path: Path) -> Scene:
    return Scene(parse({**SITE, "data": str(tmp_path)}), records)


def an_executor(role: str, beat_at: float) -> Executor:
    return Executor(role, role, "host", 1, "1", beat_at)


def a_rejection(kind: RejectionKind) -> Rejection:
    return Rejection.at(NOW - 1, kind, "10.0.0.1", "MR1", "HILUM", "it is not on the list")


def waits(scene: Scene, seconds: float) -> None:
    put(scene.records, a_workitem(created=NOW - seconds))


def has_no_judge(scene: Scene, reason: str, seconds: float = 0) -> None:
    about = {"settled_images": 0, "reason": reason, "last_at": NOW - seconds}
    put(scene.records, a_study(study_uid="1.2", **about))


def destination(scene: Scene, state: DestinationState, seconds: float) -> None:
    scene.records.destinations.note(DestinationStanding("pacs", state, NOW - seconds, "it is down"))


def source(scene: Scene, state: SourceState, seconds: float) -> None:
    row = SourceStanding("archive", state, NOW - seconds, seen_at=NOW - seconds)
    scene.records.sources.begin(row)
    scene.records.sources.note(row)


def worklist(scene: Scene, state: WorklistState, seconds: float) -> None:
    scene.records.worklists.note(WorklistStanding("ris", state, NOW - seconds, "it is down"))


def untold_step(scene: Scene, seconds: float) -> None:
    worklist(scene, WorklistState.REACHABLE, 9999)
    code = ("BRAIN", "99T", "")
    words = ("ris", "1.2.9", "1.2", "m", code, StepState.COMPLETING, NOW - seconds)
    assert scene.records.steps.add(WorklistStep(*words), "asks for m")


def pause(scene: Scene, kind: PausedKind, name: str) -> None:
    assert scene.records.pauses.begin(NotedPause(kind, name, NOW - 7200, "ann", "it is repaired"))


def parked(scene: Scene, state: DeliveryState) -> None:
    put(scene.records, a_workitem(state=WorkitemState.PARKED))
    put(scene.records, a_delivery("1.2.3", state=state))


def late(scene: Scene, seconds: float) -> None:
    put(scene.records, a_workitem(state=WorkitemState.DELIVERING))
    put(scene.records, a_delivery("1.2.3", state=DeliveryState.DELAYED, owed_at=NOW - seconds))


def failing_notifier(scene: Scene) -> None:
    scene.records.notices.begin("ops", ())
    standing = replace(scene.records.notices.standing("ops"), failing_since=NOW - 1000)
    scene.records.notices.note_standing(replace(standing, problem="ops: HTTP 500"))


def moving_engine(scene: Scene) -> None:
    scene.put(tables.executor, an_executor("worker", NOW))
    scene.records.events.add("1.2", EventKind.RUNNING, "")
    scene.records.database.transact(lambda c: c.execute(tables.event.update().values(at=NOW - 60)))


def dies(scene: Scene, times: int, seconds: float) -> None:
    for _ in range(times):
        note_death(scene.site.data, Death("worker-0", NOW - seconds, -signal.SIGKILL))


# name of the alarm -> how grave it is, what makes it begin, and what makes it end
EACH: dict[str, tuple[Severity, Callable[[Scene], object], Callable[[Scene], object]]] = {
    "folder": (
        Severity.ERROR,
        lambda scene: scene.site.data.chmod(0o755),
        lambda scene: scene.site.data.chmod(0o700),
    ),
    "patients": (
        Severity.WARNING,
        lambda scene: put(scene.records, a_workitem(state=WorkitemState.HELD, reason=DIFFERENT)),
        lambda scene: scene.records.moves.set_state("1.2.3", WorkitemState.CANCELLED),
    ),
    "corrections": (
        Severity.WARNING,
        lambda scene: scene.put(tables.correction, Correction("1.2", "k", NOW, ("MR1",), True)),
        lambda scene: scene.empty(tables.correction),
    ),
    "refused": (
        Severity.ERROR,
        lambda scene: scene.records.rejections.note([a_rejection(RejectionKind.CALLER)]),
        lambda scene: scene.empty(tables.rejection),
    ),
    "room": (
        Severity.ERROR,
        lambda scene: scene.records.rejections.note([a_rejection(RejectionKind.ROOM)]),
        lambda scene: scene.empty(tables.rejection),
    ),
    "parked pacs": (
        Severity.ERROR,
        lambda scene: parked(scene, DeliveryState.REFUSED),
        lambda scene: scene.records.deliveries.cancel(a_workitem(), "a person wished it"),
    ),
    "misfiled pacs": (
        Severity.ERROR,
        lambda scene: parked(scene, DeliveryState.MISFILED),
        lambda scene: scene.empty(tables.delivery),
    ),
    "late pacs": (
        Severity.ERROR,
        lambda scene: late(scene, 3601),
        lambda scene: scene.records.deliveries.cancel(a_workitem(), "a person wished it"),
    ),
    "destination pacs": (
        Severity.ERROR,
        lambda scene: destination(scene, DestinationState.UNREACHABLE, 301),
        lambda scene: destination(scene, DestinationState.REACHABLE, 0),
    ),
    "source archive": (
        Severity.ERROR,
        lambda scene: source(scene, SourceState.REFUSED, 301),
        lambda scene: source(scene, SourceState.REACHABLE, 0),
    ),
    "worklist ris": (
        Severity.ERROR,
        lambda scene: worklist(scene, WorklistState.UNREACHABLE, 301),
        lambda scene: worklist(scene, WorklistState.REACHABLE, 0),
    ),
    "steps of ris": (
        Severity.WARNING,
        lambda scene: untold_step(scene, 301),
        lambda scene: scene.empty(tables.step),
    ),
    "held": (
        Severity.WARNING,
        lambda scene: put(scene.records, a_workitem(state=WorkitemState.HELD, reason="a gap")),
        lambda scene: scene.records.moves.cancel(a_workitem(), "a person wished it"),
    ),
    "failed": (
        Severity.WARNING,
        lambda scene: put(scene.records, a_workitem(**FAILED)),
        lambda scene: put(scene.records, a_delivery("1.2.3")),
    ),
    "unjudged module": (
        Severity.ERROR,
        lambda scene: has_no_judge(scene, f"{NOT_JUDGED_YET}: the module m cannot be used"),
        lambda scene: scene.records.studies.reviewed("1.2", 3, NOW, 3),
    ),
    "unjudged machine": (
        Severity.ERROR,
        lambda scene: has_no_judge(scene, f"{NOT_JUDGED_NOW}: no memory is left", 301),
        lambda scene: scene.records.studies.reviewed("1.2", 3, NOW, 3),
    ),
    "unjudged mistake": (
        Severity.ERROR,
        lambda scene: has_no_judge(scene, f"{NOT_JUDGED}: TypeError in a.py"),
        lambda scene: scene.records.studies.reviewed("1.2", 3, NOW, 0, reason="3 images"),
    ),
    "gateway": (
        Severity.CRITICAL,
        lambda scene: scene.put(tables.executor, an_executor("gateway", NOW - 61)),
        lambda scene: scene.records.executors.beat(an_executor("gateway", NOW)),
    ),
    "engine": (
        Severity.CRITICAL,
        lambda scene: waits(scene, 61),
        lambda scene: scene.put(tables.executor, an_executor("worker", NOW)),
    ),
    "server m": (
        Severity.ERROR,
        lambda scene: put(scene.records, a_workitem(failure="the server of m is down")),
        lambda scene: scene.records.moves.set_state("1.2.3", WorkitemState.RUNNING),
    ),
    "process worker-0": (
        Severity.ERROR,
        lambda scene: dies(scene, 5, 60),
        lambda scene: [file.unlink() for file in scene.site.data.glob("deaths-*")],
    ),
    "paused destination pacs": (
        Severity.INFORMATION,
        lambda scene: pause(scene, PausedKind.DESTINATION, "pacs"),
        lambda scene: scene.records.pauses.end(PausedKind.DESTINATION, "pacs", NOW),
    ),
    "settings": (
        Severity.ERROR,
        lambda scene: SettingsVersions(scene.site.data).refuse("no such module", NOW),
        lambda scene: SettingsVersions(scene.site.data).accept(),
    ),
    "notifier ops": (
        Severity.ERROR,
        failing_notifier,
        lambda scene: scene.records.notices.note_sent("ops", "msg_1", NOW),
    ),
}


@pytest.mark.parametrize("name", EACH)
def test_an_alarm_begins_says_what_to_do_and_ends(name: str, scene: Scene) -> None:
    severity, begin, end = EACH[name]
    scene.site.data.chmod(0o700)
    log = AlarmLog(scene.site, scene.records, clock=lambda: NOW)
    assert log.check() is False
    begin(scene)
    (alarm,) = scene.alarms()
    assert (alarm.name, alarm.severity) == (name, severity)
    assert alarm.text and alarm.cure
    assert "1.2" not in alarm.text + alarm.cure, "they may be sent anywhere"
    assert log.check() is True
    assert log.check() is False
    (alarm,) = scene.alarms()
    assert alarm.since is not None
    end(scene)
    assert scene.alarms() == []
    assert log.check() is True
    assert scene.records.alarms.begun() == {}
    is_own = name == "notifier ops"
    is_mild = severity is Severity.INFORMATION  # the notifier tells of warnings and graver
    told = [(notice.alarm, notice.change) for notice in scene.records.notices.owed("ops")]
    assert told == ([] if is_own or is_mild else [(name, AlarmChange.ENDED)]), "the last change"


def test_the_table_above_has_every_kind_of_alarm() -> None:
    """Those of disk, modules, certificates and audit trail have tests of their own."""
    names = {kind.__module__.rpartition(".")[2] for kind in registry.every_kind()}
    tested = {
        "folder",
        "identity",
        "senders",
        "parked",
        "destinations",
        "sources",
        "engine",
        "worklists",
    }
    tested |= {"processes", "late", "notifiers", "paused", "servers", "settings"}
    tested |= {"held", "failed", "unjudged"}
    assert names == tested | {"disk", "modules", "certificates", "audit"}


@pytest.mark.parametrize(
    "begin",
    [
        lambda scene: destination(scene, DestinationState.UNREACHABLE, 299),
        lambda scene: source(scene, SourceState.UNREACHABLE, 299),
        lambda scene: source(scene, SourceState.REACHABLE, 319),
        lambda scene: worklist(scene, WorklistState.REFUSED, 299),
        lambda scene: untold_step(scene, 299),
        lambda scene: waits(scene, 59),
        lambda scene: scene.put(tables.executor, an_executor("gateway", NOW - 59)),
        lambda scene: late(scene, 3599),
        lambda scene: (late(scene, 3601), destination(scene, DestinationState.UNREACHABLE, 1)),
        lambda scene: (late(scene, 9999), destination(scene, DestinationState.REACHABLE, 3599)),
        lambda scene: dies(scene, 4, 1),
        lambda scene: (dies(scene, 4, 601), dies(scene, 4, 1)),
        lambda scene: (moving_engine(scene), waits(scene, 36_000)),
    ],
)
def test_what_lasts_for_a_moment_is_none(begin: Callable[[Scene], object], scene: Scene) -> None:
    scene.site.data.chmod(0o700)
    begin(scene)
    assert scene.alarms() == []


def test_a_process_that_lives_again_is_no_alarm_ten_minutes_later(scene: Scene) -> None:
    scene.site.data.chmod(0o700)
    dies(scene, 7, 0)
    (alarm,) = scene.alarms(NOW + 599)
    assert "worker-0 of Hilum has died 7 times within 10 minutes, the last time by SIGKILL" in (
        alarm.text
    )
    assert scene.alarms(NOW + 601) == []
    for file in scene.site.data.glob("deaths-*"):
        file.write_text("half of i")  # by a power cut
    assert scene.alarms() == []
    note_death(scene.site.data, Death("gateway", NOW, 1))
    assert [death.exit_code for death in deaths_in(scene.site.data, NOW)] == [1]


def test_a_disk_without_room_ends_no_supervisor(scene: Scene) -> None:
    note_death(scene.site.data / "none", Death("gateway", NOW, 1))


@pytest.mark.parametrize("section", ["receiver", "console"])
def test_a_certificate_that_ends_is_told_until_it_is_renewed(
    section: str, scene: Scene, tmp_path: Path
) -> None:
    scene.site.data.chmod(0o700)
    own = SelfSigned.make(tmp_path)
    tls = {"certificate_file": own.certificate, "key_file": own.key}
    settings = scene.site.model_dump() | {"receiver": {"low_water_mb": 0}}
    settings[section] = settings[section] | {"tls": tls}
    site = Site.model_validate(settings)
    made = time.time()  # it ends two days later
    for now, severity in (
        (made - 40 * DAY, None),
        (made - 10 * DAY, Severity.WARNING),
        (made + 3 * DAY, Severity.CRITICAL),
    ):
        found = [a for a in alarms_now(site, scene.records, now) if a.name[:4] == "cert"]
        assert [alarm.severity for alarm in found] == ([severity] if severity else [])
    own.certificate.unlink()  # a renewal that stopped half way
    (alarm,) = alarms_now(site, scene.records, made)
    assert alarm.severity is Severity.CRITICAL
    assert alarm.text == f"the certificate of {section} cannot be read"


def test_a_source_and_a_destination_of_one_name_are_two_alarms(
    scene: Scene, tmp_path: Path
) -> None:
    own = SelfSigned.make(tmp_path)
    tls = {"tls": {"certificate_file": own.certificate, "key_file": own.key}}
    archive = {"name": "archive", **tls}
    ends = {
        "source": [{**archive, "kind": "orthanc", "url": "https://127.0.0.1"}],
        "destination": [{**archive, "kind": "dimse"}],
    }
    site = parse({**SITE, "data": str(tmp_path), **ends})
    found = {a.name for a in alarms_now(site, scene.records) if a.name[:4] == "cert"}
    assert found == {"certificate source archive", "certificate destination archive"}


def test_a_result_that_is_taken_and_never_shown_is_parked(scene: Scene) -> None:
    scene.site.data.chmod(0o700)
    parked(scene, DeliveryState.NOT_SHOWN)
    (alarm,) = scene.alarms()
    assert alarm.name == "parked pacs"
    assert alarm.cure_here == (
        "see in `hilum trace 1.2` why, and what to do; after that, "
        "`hilum release --destination pacs` sends them again"
    )


def test_a_source_that_nobody_watches_is_an_alarm(scene: Scene) -> None:
    scene.site.data.chmod(0o700)
    source(scene, SourceState.REACHABLE, 321)
    (alarm,) = scene.alarms()
    assert (alarm.name, alarm.since) == ("source archive", NOW - 321)
    assert alarm.text.startswith("nobody watches source archive")


def test_workers_that_begin_nothing_are_an_alarm(scene: Scene) -> None:
    scene.site.data.chmod(0o700)
    moving_engine(scene)
    waits(scene, 36_000)
    later = NOW + 2 * scene.site.worker.timeout_seconds
    scene.records.executors.beat(an_executor("worker", later))
    (alarm,) = scene.alarms(later)
    assert (alarm.name, alarm.since) == ("engine", NOW - 60)
    assert "1 analysis waits: workers run, and begin none of them" in alarm.text


def test_of_many_reasons_a_few_are_told(scene: Scene) -> None:
    scene.site.data.chmod(0o700)
    for number in range(5):
        reason = f"{NOT_JUDGED}: Error in a.py, line {number}"
        about = {"folder": str(number), "settled_images": 0, "last_at": NOW + number}
        put(scene.records, a_study(study_uid=f"1.{number}", reason=reason, **about))
    (alarm,) = scene.alarms()
    assert alarm.text.startswith("5 studies cannot be judged: Error in a.py, line 0, Error in")
    assert alarm.text.endswith(", line 2 and 2 more")


def test_a_cure_names_the_first_studies_and_how_many_more(scene: Scene) -> None:
    scene.site.data.chmod(0o700)
    for number in range(MOST_NAMED + 2):
        item = a_workitem(id=f"w{number}", study_uid=f"1.{number}", reason=DIFFERENT)
        put(scene.records, replace(item, state=WorkitemState.HELD))
    (alarm,) = scene.alarms()
    (view,) = views_of([alarm])
    assert view.cure.startswith("see in `hilum decide 1.0`, `hilum decide 1.1`, ")
    assert "`hilum decide 1.4` and 2 more whose they are" in view.cure
    assert alarm.cure.startswith("see in `hilum decide STUDY` whose")
    assert "in 7 studies; they wait" in alarm.text
    assert view.studies == 7


def waits_for(scene: Scene, module: str, seconds: float) -> None:
    put(scene.records, a_workitem(module=module, created=NOW - seconds))


@pytest.mark.parametrize(
    ("kind", "name", "begin"),
    [
        (
            PausedKind.DESTINATION,
            "pacs",
            lambda scene: destination(scene, DestinationState.UNREACHABLE, 7200),
        ),
        (PausedKind.DESTINATION, "pacs", lambda scene: late(scene, 7201)),
        (PausedKind.SOURCE, "archive", lambda scene: source(scene, SourceState.REACHABLE, 7200)),
        (PausedKind.SOURCE, "archive", lambda scene: source(scene, SourceState.REFUSED, 7200)),
        (PausedKind.WORKLIST, "ris", lambda scene: worklist(scene, WorklistState.REFUSED, 7200)),
        (PausedKind.WORKLIST, "ris", lambda scene: untold_step(scene, 7200)),
        (PausedKind.MODULE, "tiny", lambda scene: waits_for(scene, "tiny", 7200)),
    ],
    ids=["away", "late", "unwatched", "refused", "no worklist", "untold", "disabled"],
)
def test_what_is_paused_is_no_fault_and_gets_its_time_when_it_goes_on(
    scene: Scene, kind: PausedKind, name: str, begin: Callable[[Scene], object]
) -> None:
    scene.site.data.chmod(0o700)
    begin(scene)
    assert [alarm.severity is Severity.INFORMATION for alarm in scene.alarms()] == [False]
    pause(scene, kind, name)
    assert [alarm.name for alarm in scene.alarms()] == [f"paused {kind} {name}"]
    scene.records.pauses.end(kind, name, NOW - 1)
    assert scene.alarms() == []


def test_the_gravest_comes_first(scene: Scene) -> None:
    scene.site.data.chmod(0o755)
    waits(scene, 61)
    scene.put(tables.correction, Correction("1.2", "k", NOW, ("MR1",), True))
    pause(scene, PausedKind.SOURCE, "archive")
    assert [alarm.severity for alarm in scene.alarms()] == list(reversed(Severity))
    assert [CORRECTED in alarm.text for alarm in scene.alarms()] == [False, False, True, False]


class Recorder:
    """Stands for a kind of another package: it keeps what it is told, or fails."""

    def __init__(self) -> None:
        self.told: list[AlarmMessage] = []
        self.problem: Exception | None = None

    def send(self, message: AlarmMessage) -> None:
        if self.problem:
            raise self.problem
        self.told.append(message)


class Ticking:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def a_teller(site: Site, records: Records, clock: Ticking, recorder: Recorder) -> Teller:
    return Teller(site.notify[0], records, clock, lambda _settings: recorder)


def correct(scene: Scene, is_open: bool) -> None:
    scene.empty(tables.correction)
    scene.put(tables.correction, Correction("1.2", "k", NOW, ("MR1",), is_open))


@pytest.fixture
def everywhere(database: str, tmp_path: Path) -> Iterator[Scene]:
    """The same on SQLite and PostgreSQL."""
    with closing(Records(database)) as records:
        yield Scene(parse({**SITE, "data": str(tmp_path)}), records)


def told_of(message: AlarmMessage) -> list[tuple[str, bool]]:
    return [(news.alarm, news.has_ended) for news in message.news]


def test_a_flood_becomes_few_messages(scene: Scene) -> None:
    """An alarm that begins and ends every ten seconds for an hour; another one in between."""
    scene.site.data.chmod(0o700)
    clock, recorder = Ticking(), Recorder()
    log = AlarmLog(scene.site, scene.records, clock)
    for turn in range(360):
        correct(scene, is_open=turn % 2 == 0)
        if turn == 100:
            scene.site.data.chmod(0o755)
        log.check()
        teller = a_teller(scene.site, scene.records, clock, recorder)  # a restart changes nothing
        teller.tell_next()
        clock.now += 10
    assert len(recorder.told) == 12, "one in five minutes"
    assert [told_of(message) for message in recorder.told[:2]] == [
        [("corrections", False)],
        [("corrections", False)],
    ]
    assert {len(message.news) for message in recorder.told} == {1, 2}
    ids = [news.id for message in recorder.told for news in message.news]
    assert len(set(ids)) == len(ids), "nothing is told twice"
    assert "folder" in {news.alarm for message in recorder.told for news in message.news}


def test_what_could_not_be_told_is_told_later_as_the_same_message(everywhere: Scene) -> None:
    scene = everywhere
    scene.site.data.chmod(0o700)
    clock, recorder = Ticking(), Recorder()
    log = AlarmLog(scene.site, scene.records, clock)
    teller = a_teller(scene.site, scene.records, clock, recorder)
    correct(scene, is_open=True)
    log.check()
    recorder.problem = NotificationError("ops: HTTP 500")
    pauses = []
    for _ in range(12):
        pauses.append(teller.tell_next())
        clock.now += pauses[-1]
    assert pauses[:4] == [10, 20, 40, 80]
    assert pauses[-1] == LAST_RETRY_SECONDS
    begun = scene.records.notices.owed("ops")
    assert [alarm.name for alarm in scene.alarms(clock.now)] == ["notifier ops", "corrections"]
    log.check()
    correct(scene, is_open=False)
    log.check()
    recorder.problem = RuntimeError("a plug-in may raise anything")
    clock.now += teller.tell_next()
    assert "RuntimeError" in scene.records.notices.standing("ops").problem
    recorder.problem = None
    assert teller.tell_next() == 0.0
    assert recorder.told[0].id == begun[0].message
    assert recorder.told[0].news[0].id == begun[0].id
    clock.now += 300
    teller.tell_next()
    assert [told_of(message) for message in recorder.told] == [
        [("corrections", False)],
        [("corrections", True)],
    ]
    log.check()
    assert scene.records.alarms.begun() == {}
    assert scene.records.notices.owed("ops") == []


@pytest.mark.parametrize("problem", [None, NotificationError("ops: HTTP 500")])
def test_a_clock_that_is_set_back_keeps_no_alarm_from_being_told(
    scene: Scene, problem: Exception | None
) -> None:
    scene.site.data.chmod(0o700)
    clock, recorder = Ticking(), Recorder()
    log = AlarmLog(scene.site, scene.records, clock)
    teller = a_teller(scene.site, scene.records, clock, recorder)
    recorder.problem = problem
    correct(scene, is_open=True)
    log.check()
    teller.tell_next()
    before = len(recorder.told)
    recorder.problem = None
    clock.now -= 10 * 3600
    correct(scene, is_open=False)
    log.check()
    teller.tell_next()
    assert len(recorder.told) == before + 1


def test_a_new_notifier_is_told_what_stands_and_one_that_is_gone_is_forgotten(
    scene: Scene, tmp_path: Path
) -> None:
    recorder = Recorder()
    scene.site.data.chmod(0o700)
    correct(scene, is_open=True)
    AlarmLog(scene.site, scene.records, Ticking()).check()
    assert scene.records.notices.owed("ops") != []
    mild, grave = {"name": "new", **NOTIFY}, {"name": "night", "severity": "critical", **NOTIFY}
    site = parse({**SITE, "data": str(tmp_path), "notify": [mild, grave]})
    AlarmLog(site, scene.records, Ticking())
    assert scene.records.notices.owed("ops") == []
    assert [notice.alarm for notice in scene.records.notices.owed("new")] == ["corrections"]
    assert scene.records.notices.owed("night") == []
    a_teller(site, scene.records, Ticking(), recorder).tell_next()
    AlarmLog(site, scene.records, Ticking())
    assert scene.records.notices.owed("new") == [], "a restart tells nothing again"


@pytest.mark.parametrize("with_uids", [False, True])
def test_studies_are_named_only_where_that_was_asked_for(
    with_uids: bool, scene: Scene, tmp_path: Path
) -> None:
    recorder = Recorder()
    notify = {"name": "ops", "study_uids": with_uids, **NOTIFY}
    site = parse({**SITE, "data": str(tmp_path), "notify": [notify]})
    site.data.chmod(0o700)
    correct(scene, is_open=True)
    AlarmLog(site, scene.records, Ticking()).check()
    a_teller(site, scene.records, Ticking(), recorder).tell_next()
    ((news,),) = [message.news for message in recorder.told]
    assert news.studies == 1
    assert news.study_uids == (("1.2",) if with_uids else ())
    assert ("`hilum decide 1.2`" in news.cure) is with_uids
    assert ("1.2" in repr(news)) is with_uids


def test_what_still_stands_is_told_once_a_day_to_whom_wants_it(
    scene: Scene, tmp_path: Path
) -> None:
    notify = [{"name": "ops", **NOTIFY}, {"name": "quiet", "remind": False, **NOTIFY}]
    site = parse({**SITE, "data": str(tmp_path), "notify": notify})
    site.data.chmod(0o700)
    clock, recorder, quiet = Ticking(), Recorder(), Recorder()
    correct(scene, is_open=True)
    for hour in range(50):
        if hour == 10:
            scene.put(tables.correction, Correction("1.3", "k", NOW, ("MR1",), True))
        AlarmLog(site, scene.records, clock).check()  # a restart changes nothing
        a_teller(site, scene.records, clock, recorder).tell_next()
        Teller(site.notify[1], scene.records, clock, lambda _settings: quiet).tell_next()
        clock.now += 3600
    news = [news for message in recorder.told for news in message.news]
    assert [(one.change, one.studies) for one in news] == [("began", 1), ("still", 2), ("still", 2)]
    assert [one.at - NOW for one in news] == [0, 24 * 3600, 48 * 3600]
    assert {one.since for one in news} == {NOW}
    assert [one.change for message in quiet.told for one in message.news] == ["began"]


TWO = st.sampled_from([AlarmChange.BEGAN, AlarmChange.ENDED])
CHANGES = st.lists(st.tuples(st.sampled_from("abc"), TWO), max_size=12)


@examples(30, 300)
@given(changes=CHANGES, fails=st.lists(st.booleans(), max_size=12))
def test_whoever_hears_every_message_knows_what_stands(
    changes: list[tuple[str, AlarmChange]], fails: list[bool]
) -> None:
    """Any order of beginnings and ends, with sendings that fail in between."""
    clock, recorder = Ticking(), Recorder()
    with closing(Records("sqlite://")) as records:
        site = parse(SITE)
        log = AlarmLog(site, records, clock)
        teller = a_teller(site, records, clock, recorder)
        standing: set[str] = set()
        for number, (name, change) in enumerate(changes):
            if (name in standing) is (change is AlarmChange.ENDED):
                standing ^= {name}
                begun = BegunAlarm(name, Severity.ERROR, clock.now, clock.now, "t", "c", ())
                notices = log._notices(begun, change, clock.now)
                if change is AlarmChange.BEGAN:
                    records.alarms.begin(begun, notices)
                else:
                    records.alarms.end(name, notices)
            recorder.problem = NotificationError("x") if (fails[number:] or [False])[0] else None
            teller.tell_next()
            clock.now += 200
        recorder.problem = None
        while records.notices.owed("ops"):
            clock.now += 2000
            teller.tell_next()
    heard: set[str] = set()
    for message in recorder.told:
        for news in message.news:
            heard = heard - {news.alarm} if news.has_ended else heard | {news.alarm}
    assert heard == standing
