"""Commands that change something are in the audit trail; `hilum audit` shows and proves it."""

import json
import os
import pwd
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from factory import a_study, a_workitem, mr_slices, put, write
from hilum.audit import AuditedAct, AuditEntry, AuditOutcome, ObjectType, Origin
from hilum.audit.store import AuditStore
from hilum.audit.system_user import actor_here
from hilum.cli import app
from hilum.inbox import Inbox
from hilum.records import Records
from hilum.records.listed import StudyIdentifiers
from hilum.records.states import EventKind, RequestAction
from hilum.requests import BY_ITSELF
from hilum_lab.disk import Mount, filled

from .trails import auditor, fill

ITEM = a_workitem(id="9" * 30, study_uid="1.2.3")


@dataclass
class Console:
    """`hilum` commands of one site, and what stands in its audit trail."""

    data: Path
    records: Records
    answer: tuple[bool, str] = (True, "done")

    def type(self, *words: str, given: str = "") -> Result:
        config = str(self.data.parent / "hilum.toml")
        words = (*words, "-c", config)
        return CliRunner().invoke(app, words, input=given, env={"COLUMNS": "999"})

    def entries(self) -> list[AuditEntry]:
        with closing(AuditStore(self.data / "audit.db")) as store:
            return store.after(0, 1000)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Console]:
    with console(tmp_path) as made:
        yield made


@contextmanager
def console(folder: Path) -> Iterator[Console]:
    """A gateway that answers everything in the same way stands behind it."""
    data = folder / "data"
    data.mkdir(mode=0o700)
    (folder / "hilum.toml").write_text(f'data = "{data}"\nreceiver.low_water_mb = 0\n')
    ended = threading.Event()
    with closing(Records(f"sqlite:///{data}/hilum.db")) as records:
        made = Console(data, records)
        put(records, ITEM)

        def answer() -> None:
            while not ended.wait(0.02):
                for asked in (*records.requests.waiting(), *records.requests.to_fetch()):
                    assert made.entries()[-1].outcome is AuditOutcome.ASKED  # before it is done
                    records.requests.answer(asked.id, *made.answer)

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield made
        finally:
            ended.set()
            thread.join()


def test_who_retries_is_on_record_before_it_is_done(site: Console) -> None:
    assert site.type("retry", ITEM.id).exit_code == 0
    (entry,) = site.entries()
    user = pwd.getpwuid(os.geteuid()).pw_name
    assert (entry.person, entry.account) == (user, f"system user {user}")
    assert (entry.origin, entry.role) == (Origin.COMMAND_LINE, "")
    assert (entry.act, entry.outcome) == (AuditedAct.RETRY, AuditOutcome.ASKED)
    assert (entry.object_type, entry.object) == (ObjectType.WORKITEM, ITEM.id)
    assert entry.study_uid == "1.2.3"


def test_each_study_of_a_list_is_fetched_and_on_record(site: Console) -> None:
    fetched = site.type("fetch", "-", "--from", "pacs", given="A1, A2\n\nA 3\n A1\n1.2.840.7\n")
    assert fetched.exit_code == 0, fetched.output
    names = ("A1", "A2", "A 3", "1.2.840.7")
    assert fetched.output == "".join(f"{name}:\ndone\n" for name in names)
    told = [(entry.act, entry.reason, entry.study_uid) for entry in site.entries()]
    assert told == [
        *((AuditedAct.FETCH, f"accession number {name}", "") for name in names[:3]),
        (AuditedAct.FETCH, "", "1.2.840.7"),
    ]
    site.answer = (False, "not fetched: pacs does not have it")
    failed = site.type("fetch", "A9", "A8", "--from", "pacs")
    assert failed.exit_code == 1
    assert failed.output.endswith("2 of 2 studies not fetched\n")
    assert site.entries()[-1].outcome is AuditOutcome.FAILED


def test_what_the_gateway_refuses_is_an_entry_of_its_own(site: Console) -> None:
    site.answer = (False, "not cancelled: it is completed")
    assert site.type("cancel", ITEM.id).exit_code == 1
    asked, failed = site.entries()
    assert (asked.act, asked.outcome) == (AuditedAct.CANCEL, AuditOutcome.ASKED)
    assert (failed.act, failed.outcome) == (AuditedAct.CANCEL, AuditOutcome.FAILED)
    assert failed.reason == "not cancelled: it is completed"


def test_the_reason_of_a_withdrawal_is_kept(site: Console) -> None:
    site.type("withdraw", ITEM.id, "--reason", "wrong side")
    assert [(e.act, e.reason) for e in site.entries()] == [(AuditedAct.WITHDRAW, "wrong side")]


def test_every_request_to_the_gateway_has_its_act() -> None:
    assert {AuditedAct(action.value) for action in RequestAction if action not in BY_ITSELF}


def test_without_room_for_the_entry_nothing_is_done(tmp_path: Path, small_disk: Mount) -> None:
    with small_disk(8) as disk, console(disk) as site:
        with auditor(site.data) as made:
            fill(made, 1)
        with filled(disk):
            refused = site.type("retry", ITEM.id)
            while not refused.exception:  # until the file is full, too
                refused = site.type("retry", ITEM.id)
            assert "not done, because it cannot be written down who did it" in str(
                refused.exception
            )
        count = len(site.records.requests.waiting())
        assert site.type("retry", ITEM.id).exit_code == 0  # there is room again
        assert count == 0


def test_who_looks_at_patients_and_decides_is_on_record(site: Console, tmp_path: Path) -> None:
    images = mr_slices("t1", count=2)
    uid = images[0].StudyInstanceUID
    inbox = Inbox(site.data)
    for file in write(images, tmp_path / "exam"):
        inbox.store(file.read_bytes())
    site.records.studies.add(a_study(study_uid=uid, folder=inbox.study_folder(uid).name))
    put(site.records, a_workitem(id="8" * 30, study_uid=uid))
    shown = site.type("decide", uid)
    assert shown.exit_code == 0, shown.output
    (entry,) = site.entries()
    assert (entry.act, entry.study_uid) == (AuditedAct.OPENED, uid)
    assert entry.patient_id == images[0].PatientID


def test_who_searches_is_on_record_without_the_name_searched_for(site: Console) -> None:
    found = site.type("find", "--name", "SECRETNAME", "--patient", "P4711")
    assert found.exit_code == 0, found.output
    (entry,) = site.entries()
    assert (entry.act, entry.outcome) == (AuditedAct.SEARCHED, AuditOutcome.DONE)
    assert (entry.object, entry.patient_id) == ("patient_id, patient_name, order", "P4711")
    assert b"SECRETNAME" not in (site.data / "audit.db").read_bytes()


def test_the_patient_of_an_act_is_the_one_on_record(site: Console) -> None:
    put(site.records, a_study(study_uid="1.2.3"))
    said = StudyIdentifiers(patient_id="P4711")
    assert site.records.identifiers.patient_of("1.2.3") == ""
    assert site.records.identifiers.note_older("1.2.3", said)
    site.type("retry", ITEM.id)
    assert [entry.patient_id for entry in site.entries()] == ["P4711"]
    assert site.records.identifiers.patient_of("9.9") == ""


def test_a_backup_and_a_recovery_are_on_record(site: Console, tmp_path: Path) -> None:
    assert site.type("backup", str(tmp_path / "backup")).exit_code == 0
    (entry,) = site.entries()
    assert (entry.act, entry.object) == (AuditedAct.EXPORTED, str(tmp_path / "backup"))
    with closing(AuditStore(tmp_path / "backup" / "data" / "audit.db")) as copy:
        assert copy.verify().is_whole
        assert copy.head()
    again = site.type("backup", str(tmp_path / "backup"))
    assert again.exit_code == 1
    assert [e.outcome for e in site.entries()][1:] == [AuditOutcome.ASKED, AuditOutcome.FAILED]
    site.type("recover")
    assert site.entries()[-1].act is AuditedAct.RECOVERED


def test_who_changes_people_is_on_record_without_any_password(
    site: Console, tmp_path: Path
) -> None:
    secret = tmp_path / "password"
    secret.write_text("correct horse battery staple")
    secret.chmod(0o600)
    words = ("people", "add", "dora", "--role", "reader", "--password-file", str(secret))
    assert site.type(*words).exit_code == 0
    assert site.type("people", "role", "dora", "operator").exit_code == 0
    assert site.type("people", "role", "nobody", "operator").exit_code == 1
    assert site.type("people", "token", "add", "ris", "--role", "viewer").exit_code == 0
    assert site.type("people", "list").exit_code == 0
    said = [(e.object, e.reason, e.outcome.value) for e in site.entries()]
    assert said[:3] == [
        ("dora", "add, role reader", "asked"),
        ("dora", "role, new operator", "asked"),
        ("nobody", "role, new operator", "asked"),
    ]
    assert said[3][2] == "failed"
    assert said[4:] == [("ris", "add, role viewer, days 365", "asked")]
    assert {e.act for e in site.entries()} == {AuditedAct.PEOPLE_CHANGED}
    assert b"battery" not in (site.data / "audit.db").read_bytes()


def test_sudo_names_who_typed_it() -> None:
    user = pwd.getpwuid(os.geteuid()).pw_name
    assert actor_here({"SUDO_USER": "carol", "LOGNAME": "mallory"}).person == "carol"
    assert actor_here({"LOGNAME": "mallory"}).person == user
    assert actor_here({"SUDO_USER": "carol"}).account == f"system user {user}"


def test_show_filters_and_shows_no_patient(site: Console) -> None:
    with auditor(site.data) as made:
        fill(made, 120)
    shown = site.type("audit", "show")
    assert shown.stdout.count("1.2.3") == 49  # and that it was read
    assert "page 1 of 3, 121 in all" in shown.output
    assert "P1" not in shown.output
    only = site.type("audit", "show", "--person", "bob", "--study", "1.2.3", "--json")
    found = json.loads(only.stdout)
    assert (found["total"], found["pages"]) == (60, 2)
    assert {(e["person"], e["patient_id"]) for e in found["entries"]} == {("bob", "")}
    put(site.records, a_study(study_uid="1.2.3", folder="1.2.3"))
    site.records.events.add("1.2.3", EventKind.RECEIVING, "images came")
    assert site.records.identifiers.note_older("1.2.3", StudyIdentifiers(accession_number="A77"))
    called = site.type("audit", "show", "--person", "bob", "--study", "A77", "--json")
    assert json.loads(called.stdout)["entries"] == found["entries"]
    assert "has no such entry" in site.type("audit", "show", "--person", "nobody").stdout
    late = site.type("audit", "show", "--since", "2100-01-01")
    assert "has no such entry" in late.stdout
    assert isinstance(site.type("audit", "show", "--page", "9").exception, Exception)
    assert site.entries()[-1].act is AuditedAct.AUDIT_READ


def test_verify_and_head(site: Console) -> None:
    with pytest.raises(Exception, match="holds nothing yet"):
        raise site.type("audit", "head").exception or AssertionError
    with auditor(site.data) as made:
        fill(made, 5)
    head = site.type("audit", "head").stdout.strip()
    assert head.startswith("5:")
    good = site.type("audit", "verify", "--head", head)
    assert (good.exit_code, good.stdout) == (
        0,
        f"5 entries, as they were written; the last one is {head}\n",
    )
    with closing(sqlite3.connect(site.data / "audit.db")) as connection, connection:
        connection.execute("DROP TRIGGER entry_is_kept")
        connection.execute("DELETE FROM entry WHERE number = 5")
    assert site.type("audit", "verify").exit_code == 0
    cut = site.type("audit", "verify", "--head", head)
    assert cut.exit_code == 1
    assert cut.stdout == "the end is cut off: entry 5 was there when it was exported\n"
    wrong = site.type("audit", "verify", "--head", "abc").exception
    assert "is no head: it is what `hilum audit head` printed" in str(wrong)


def test_the_export_can_be_verified_by_anybody(site: Console, tmp_path: Path) -> None:
    """With the few lines that the guide prints, and nothing of Hilum."""
    with auditor(site.data) as made:
        fill(made, 5)
    file = tmp_path / "audit.jsonl"
    assert site.type("audit", "export", str(file)).exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["number"] for line in lines] == [1, 2, 3, 4, 5, 6]
    assert [line["patient_id"] for line in lines] == ["P0", "P1", "P2", "P3", "P4", ""]
    assert lines[-1]["act"] == "exported"
    guide = (Path(__file__).parents[2] / "docs" / "how-to" / "audit.md").read_text()
    script = guide.partition("```python\n")[2].partition("```")[0]
    (tmp_path / "verify.py").write_text(script)

    def verified() -> str:
        words = [sys.executable, "-I", "verify.py", "audit.jsonl"]
        return subprocess.run(words, cwd=tmp_path, capture_output=True, text=True).stdout

    assert verified() == "6 entries, as they were written\n"
    file.write_text(file.read_text().replace("reason 3", "reason 4"))
    assert verified() == "entry 4 was changed\n"
    again = site.type("audit", "export", str(file))
    assert "is there already: name a file that is new" in str(again.exception)
    later = tmp_path / "later.jsonl"
    assert site.type("audit", "export", str(later), "--since", "2100-01-01").exit_code == 0
    assert later.read_text() == ""


def test_a_command_that_only_shows_is_no_entry(site: Console) -> None:
    for words in (["status"], ["quarantine"], ["audit", "verify"]):
        assert site.type(*words).exit_code == 0
    assert not (site.data / "audit.db").exists()
