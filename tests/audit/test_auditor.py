"""Who did what is written down before it is done; what cannot be written down is not done."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from hilum.alarms import alarms_now
from hilum.alarms.kinds.audit import A_WHILE
from hilum.audit import (
    AuditedAct,
    AuditedObject,
    AuditEntry,
    AuditNote,
    Auditor,
    AuditOutcome,
    AuditStore,
    ObjectType,
    Origin,
    audit_file,
)
from hilum.audit.auditor import MOST_LOOKS, NOT_DONE, SAME_LOOK_SECONDS
from hilum.audit.entry import LONGEST
from hilum.audit.gaps import Gaps
from hilum.audit.store import AuditFilter, CollectorStanding
from hilum.config import parse
from hilum.errors import AuditUnavailable, OtherVersionError
from hilum.records import Records
from hilum_lab.disk import Mount, filled

from .trails import ALICE, BOB, PROGRAM, STUDY, Clock, a_note, auditor, fill


def everything(auditor: Auditor) -> list[AuditEntry]:
    return auditor.store.after(0, 1000)


def the_alarms(data: Path, **settings: object) -> list[str]:
    site = parse({"data": str(data), "receiver": {"low_water_mb": 0}, **settings})
    with closing(Records("sqlite://")) as records:
        return [a.text for a in alarms_now(site, records) if a.name.startswith("audit")]


def test_an_entry_says_who_did_what_to_what_and_why(tmp_path: Path) -> None:
    with auditor(tmp_path / "data") as made:
        about = AuditedObject.workitem("w1", "1.2.3")
        alice = replace(ALICE, address="10.1.2.3")
        made.note(AuditedAct.WITHDRAW, alice, about, "P1", "wrong side")
        made.note(AuditedAct.RETRY, PROGRAM, STUDY, outcome=AuditOutcome.DENIED)
        first, second = everything(made)
    assert (first.person, first.role, first.account) == ("alice", "operator", "local:alice")
    assert (first.address, first.origin, first.at) == ("10.1.2.3", Origin.CONSOLE, Clock().now)
    assert (first.act, first.outcome) == (AuditedAct.WITHDRAW, AuditOutcome.ASKED)
    assert (first.object_type, first.object) == (ObjectType.WORKITEM, "w1")
    assert (first.study_uid, first.patient_id, first.reason) == ("1.2.3", "P1", "wrong side")
    assert (second.origin, second.outcome) == (Origin.API, AuditOutcome.DENIED)
    assert second.address == ""


def test_a_page_that_is_opened_again_is_one_look(tmp_path: Path) -> None:
    other = AuditedObject.study("1.2.4")
    with auditor(tmp_path / "data", clock := Clock()) as made:
        for _ in range(30):
            made.note(AuditedAct.OPENED, ALICE, STUDY)
            clock.now += SAME_LOOK_SECONDS / 10
        made.note(AuditedAct.OPENED, BOB, STUDY)
        made.note(AuditedAct.OPENED, ALICE, other)
        made.note(AuditedAct.RETRY, ALICE, STUDY)
        made.note(AuditedAct.RETRY, ALICE, STUDY)
        clock.now += SAME_LOOK_SECONDS
        made.note(AuditedAct.OPENED, ALICE, STUDY)
        seen = [(e.person, e.act.value, e.object) for e in everything(made)]
    assert seen == [
        ("alice", "opened", "1.2.3"),
        ("bob", "opened", "1.2.3"),
        ("alice", "opened", "1.2.4"),
        ("alice", "retry", "1.2.3"),
        ("alice", "retry", "1.2.3"),
        ("alice", "opened", "1.2.3"),
    ]


def test_looks_that_are_remembered_take_no_end_of_memory(tmp_path: Path) -> None:
    with auditor(tmp_path / "data") as made:
        made._looks.update({(str(n),): 0.0 for n in range(MOST_LOOKS)})
        made.note(AuditedAct.OPENED, ALICE, STUDY)
        assert len(made._looks) == MOST_LOOKS


@pytest.mark.parametrize("name", ["x" * 10_000, "\ud800broken\x00\n", "Möller^Ω"])
def test_whatever_is_typed_as_a_name_is_kept_within_bounds(tmp_path: Path, name: str) -> None:
    with auditor(tmp_path / "data") as made:
        made.store.add(a_note(person=name, reason=name))
        (entry,) = everything(made)
        assert entry.person[:7] in (name[:7], "\\ud800b")
        assert len(entry.reason) <= LONGEST["reason"] + 10
        assert made.store.verify().is_whole


def test_a_full_disk_refuses_acts_and_lets_people_look(tmp_path: Path, small_disk: Mount) -> None:
    with small_disk(3) as disk, auditor(disk / "data", clock := Clock()) as made:
        fill(made, 2)
        with filled(disk):
            with pytest.raises(AuditUnavailable) as refused:
                for _ in range(1000):  # what the file has room for, it takes
                    made.note(AuditedAct.RETRY, ALICE, STUDY)
            assert str(refused.value).startswith(f"{NOT_DONE}: {disk}/data/audit.db: ")
            assert str(refused.value).endswith(f": make room on the disk of {disk}/data")
            for person in (ALICE, BOB):
                clock.now += 60
                assert made.note(AuditedAct.OPENED, person, STUDY) is None
            made.note(AuditedAct.LOGIN, BOB)
            (alarm,) = the_alarms(disk / "data")
            assert alarm.startswith(
                "who opened a page with patient data is not written down: 3 between "
            )
            made.settle()
            assert Gaps(disk / "data").now().count == 3
        made.settle()  # the cure: there is room again
        assert the_alarms(disk / "data") == []
        made.note(AuditedAct.RETRY, ALICE, STUDY)
        gap, last = everything(made)[-2:]
        assert (gap.act, gap.person, gap.outcome) == (
            AuditedAct.AUDIT_GAP,
            "hilum",
            AuditOutcome.FAILED,
        )
        assert gap.reason.startswith("3 between ")
        assert last.act is AuditedAct.RETRY
        assert made.store.verify().is_whole


def test_a_gap_is_told_before_the_next_entry(tmp_path: Path) -> None:
    with auditor(tmp_path / "data") as made:
        Gaps(tmp_path / "data").note(1.0, "a reason")
        made.note(AuditedAct.RETRY, ALICE, STUDY)
        assert [e.act for e in everything(made)] == [AuditedAct.AUDIT_GAP, AuditedAct.RETRY]
        assert Gaps(tmp_path / "data").now().count == 0


def test_what_is_missed_while_a_gap_is_told_is_not_forgotten(tmp_path: Path) -> None:
    gaps = Gaps(tmp_path)
    gaps.note(1.0, "a")
    told = gaps.now()
    gaps.note(2.0, "b" * 5000 + "\ud800")
    gaps.close(told)
    assert (gaps.now().count, gaps.now().until) == (1, 2.0)
    assert (tmp_path / "audit.gap").stat().st_size == 1024


def test_a_damaged_file_is_put_aside_as_the_error_says(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with auditor(data) as made:
        fill(made, 1)
    (data / "audit.db").write_bytes(b"this is no database" * 1000)
    with auditor(data) as made:
        with pytest.raises(AuditUnavailable, match="keep it, as evidence") as refused:
            fill(made, 1)
        subprocess.run(["sh", "-c", str(refused.value).rpartition("evidence: ")[2]], check=True)
        assert (data / "audit.bad" / "audit.db").exists()
        fill(made, 1)
        assert made.store.verify().entries == 1


def test_a_file_that_is_locked_or_newer_is_said(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with auditor(data) as made:
        fill(made, 1)
        made.store._patience = 0.1
        made.store.close()
        with closing(sqlite3.connect(data / "audit.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(AuditUnavailable, match="another process writes to it; try again"):
                fill(made, 1)
            assert made.store.verify().entries == 1  # reading goes on
            other.execute("PRAGMA user_version = 99")
            other.execute("COMMIT")
        made.store.close()
        with pytest.raises(OtherVersionError, match="newer Hilum"):
            fill(made, 1)


def test_a_folder_that_is_gone_is_said_and_told_by_an_alarm(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with auditor(data) as made:
        fill(made, 1)
        made.close()
        shutil.move(data, tmp_path / "away")
        with pytest.raises(AuditUnavailable, match=r"see that .* is there"):
            fill(made, 1)
        assert made.note(AuditedAct.OPENED, ALICE, STUDY) is None


def test_an_entry_with_words_of_nobody_sends_to_verify(tmp_path: Path) -> None:
    with auditor(tmp_path / "data") as made:
        fill(made, 2)
        with closing(sqlite3.connect(made.store.file)) as connection, connection:
            connection.execute("DROP TRIGGER entry_stays")
            connection.execute("UPDATE entry SET act = 'nothing' WHERE number = 1")
        with pytest.raises(AuditUnavailable, match="entry 1 was changed: `hilum audit verify`"):
            everything(made)
        assert made.store.verify().faults == ("entry 1 was changed",)


def test_a_collector_that_is_not_told_for_a_while_is_an_alarm(tmp_path: Path) -> None:
    data = tmp_path / "data"
    syslog = {"syslog": [{"host": "audit.example"}]}
    with auditor(data) as made:
        assert the_alarms(data, audit=syslog) == []
        made.store.note_standing("audit.example:6514", CollectorStanding(3, A_WHILE, "it is off"))
        (alarm,) = the_alarms(data, audit=syslog)
        assert alarm == "audit messages do not reach audit.example:6514: it is off"
        assert the_alarms(data) == []  # it is no longer in the settings


def test_entries_are_found_by_person_act_study_patient_and_time(tmp_path: Path) -> None:
    with auditor(tmp_path / "data") as made:
        made.store.add(*(a_note(at=float(n), person=p) for n, p in enumerate("abab")))
        made.store.add(a_note(at=9.0, person="c", study_uid="9", patient_id="P9"))
        made.store.add(a_note(at=10.0, person="c", act=AuditedAct.LOGIN))

        def found(**wanted: object) -> list[int]:
            query = AuditFilter(**wanted)  # type: ignore[arg-type]
            numbers = [entry.number for entry in made.store.latest(query, 10)]
            assert made.store.count(query) == len(numbers)
            return numbers

        assert found() == [6, 5, 4, 3, 2, 1]
        assert found(person="a") == [3, 1]
        assert found(person="c", act=AuditedAct.LOGIN) == [6]
        assert found(studies=("9",)) == found(patient_id="P9") == [5]
        assert found(studies=("9", "8")) == [5]
        assert found(studies=("8",)) == []
        assert found(since=2.0, until=9.0) == [4, 3]
        assert [e.number for e in made.store.latest(AuditFilter(), 2, skip=2)] == [4, 3]


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with auditor(tmp_path / "data") as made:
            fill(made, 1)
            Gaps(tmp_path / "data").note(1.0, "x")
            modes = {f.name: f.stat().st_mode & 0o777 for f in (tmp_path / "data").iterdir()}
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(("audit.db", "audit.db-shm", "audit.db-wal", "audit.gap"), 0o600)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_a_command_of_root_does_not_shut_out_whoever_runs_hilum(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    os.chown(tmp_path / "data", 65534, 65534)
    with auditor(tmp_path / "data") as made:
        fill(made, 1)
        owners = {file.name: file.stat().st_uid for file in (tmp_path / "data").iterdir()}
    assert owners == dict.fromkeys(("audit.db", "audit.db-shm", "audit.db-wal", "audit.gap"), 65534)


def test_half_of_a_note_of_a_gap_is_none(tmp_path: Path) -> None:
    (tmp_path / "audit.gap").write_bytes(b'{"count": 3, "since"')
    assert Gaps(tmp_path).now().count == 0
    Gaps(tmp_path).note(1.0, "a reason")
    assert Gaps(tmp_path).now().count == 1


def test_where_nothing_was_ever_written_there_is_nothing(tmp_path: Path) -> None:
    with auditor(tmp_path / "data") as made:
        assert made.store.head() is None
        assert made.store.latest(AuditFilter(), 5) == []
        assert made.store.verify().is_whole
        assert made.purge(183, 100) == 0
        assert not made.store.file.exists()


def test_notes_are_written_down_together_or_not_at_all(tmp_path: Path) -> None:
    broken: AuditNote = a_note(at="no time")
    with auditor(tmp_path / "data") as made:
        with pytest.raises(sqlite3.IntegrityError):
            made.store.add(a_note(), broken)
        assert made.store.head() is None


def test_another_look_at_the_file_in_this_process_loses_nothing(tmp_path: Path) -> None:
    """Alarms and `verify` open the trail beside the console, while commands come and go."""
    head = (
        "import sys; from pathlib import Path; from hilum.audit import AuditStore;"
        "store = AuditStore(Path(sys.argv[1])); print(store.head().number); store.close()"
    )
    file = audit_file(tmp_path)

    def seen_elsewhere() -> int:
        command = [sys.executable, "-c", head, str(file)]
        return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    with closing(Auditor(tmp_path)) as made:
        for number in range(1, 4):
            made.note(AuditedAct.SEARCHED, ALICE, AuditedObject(ObjectType.SEARCH, "finds"))
            with closing(AuditStore(file)) as beside:
                assert beside.count(AuditFilter()) == number
            assert seen_elsewhere() == number  # as the last one to leave, if our locks were gone
