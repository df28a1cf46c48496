"""Readers assess results in the pages, by the API and by command; nobody else does."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pydicom
import pytest
from typer.testing import CliRunner, Result

from factory import a_delivery, a_result, a_workitem, put
from hilum.assessments.assessing import MayBeAssessed, objection_to
from hilum.assessments.decision import AssessmentDecision
from hilum.audit import AuditedAct, AuditEntry, AuditOutcome, AuditStore, audit_file
from hilum.cli import app
from hilum.console.guard import cookie_name
from hilum.errors import HilumError
from hilum.kinds import OBJECTS
from hilum.objects.kinds import Writing
from hilum.people.everybody import Everybody
from hilum.people.roles import UserRole
from hilum.records.assessed import Assessment
from hilum.records.states import RequestAction, WorkitemKind, WorkitemState
from hilum.testing.samples import analysis_of, write_series
from tests.signing_in import session_of

from .house import HIDDEN, SAID, House, a_house
from .test_pages import text_of

REASON = "the left one is the amygdala"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with a_house(tmp_path_factory.mktemp("house")) as made:
        yield made


def a_result_in(house: House, state: WorkitemState = WorkitemState.COMPLETED) -> tuple[str, str]:
    """The address of a new study, and the id of its workitem."""
    address = house.study(state, SAID)
    return address, f"{house.records.identifiers.study_at(address)}.1"


def entries(house: House, workitem: str) -> list[AuditEntry]:
    with closing(AuditStore(audit_file(house.site.data))) as store:
        found = store.after(0, 1000)
    return [e for e in found if (e.act, e.object) == (AuditedAct.ASSESS, workitem)]


def test_a_reader_assesses_a_result_on_its_page_without_scripts(house: House) -> None:
    address, item = a_result_in(house)
    page = f"/studies/{address}"
    cookie = {cookie_name(house.site.console): session_of(house.site, UserRole.READER)}
    with (
        httpx.Client(base_url=house.url, cookies=cookie) as client,
        house.client(UserRole.READER) as other,
    ):
        part = client.get(page).text.partition(f'action="{page}/assessments"')[2]
        form = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', part)[:2])
        assert (form["workitem"], bool(form["form_token"])) == (item, True)
        form["decision"] = "rejected"
        refused = client.post(f"{page}/assessments", data=form, headers={"Accept": "text/html"})
        assert refused.status_code == 422
        assert "say why it is rejected: the reason is what others learn from" in refused.text
        named = client.post(f"{page}/assessments", data={**form, "reason": "of MARKERID, <b>"})
        assert named.status_code == 422
        assert "The reason names the patient" in text_of(named.text)
        assert 'aria-invalid="true"' in named.text
        assert ">of MARKERID, &lt;b&gt;</textarea>" in named.text
        assert "hx-trigger" not in named.text  # what was typed stays
        long = client.post(f"{page}/assessments", data={**form, "reason": "x\r\n" * 200})
        assert "The reason has more than 500 characters" in text_of(long.text)
        done = client.post(f"{page}/assessments", data={**form, "reason": f"{REASON} {HIDDEN}"})
        assert (done.status_code, done.headers["location"]) == (303, f"{page}#assessed-{item}")
        other.post(f"{page}/assessments", data={"workitem": item, "decision": "accepted"})
        shown = client.get(page).text
    assert "<script>" not in shown
    said = text_of(shown)
    assert "Assessment of readers readers disagree" in said
    assert re.search(
        rf"rejected by tester \d+ s ago {REASON} .* accepted by test-\w+ \d+ s ago", said
    )
    assert all(f'value="{word}"' in shown for word in ("accepted", "rejected", "supplemented"))
    assert [(e.reason, e.outcome, e.patient_id) for e in entries(house, item)] == [
        ("rejected", AuditOutcome.ASKED, "MARKERID"),
        ("accepted", AuditOutcome.ASKED, "MARKERID"),
    ]
    listed = house.get("/studies?assessment=rejected", UserRole.READER)
    assert address in listed
    assert address not in house.get("/studies?assessment=not+assessed")


def test_what_a_reader_gives_as_reason_is_for_those_who_see_patients(house: House) -> None:
    address, item = a_result_in(house)
    form = {"workitem": item, "decision": "supplemented", "reason": REASON}
    with house.client(UserRole.READER) as client:
        assert client.post(f"/studies/{address}/assessments", data=form).status_code == 303
    for role in UserRole:
        sees = role is not UserRole.VIEWER
        shown = house.get(f"/studies/{address}", role)
        assert (REASON in shown) is sees
        assert "Assessment of readers supplemented" in text_of(shown)
        assert ('value="rejected"' in shown) is (role is UserRole.READER)
        for path in (f"/studies/{address}", f"/api/v1/studies/{item[:-2]}", "/studies"):
            assert sees or (REASON not in house.get(path, role) and "by <b>" not in shown)


@pytest.mark.parametrize("role", [role for role in UserRole if role is not UserRole.READER])
def test_only_readers_assess(house: House, role: UserRole) -> None:
    address, item = a_result_in(house)
    wanted = {"workitem": item, "decision": "accepted"}
    with house.client(role) as client:
        for path in (f"/studies/{address}/assessments", f"/api/v1/studies/{address}/assessments"):
            options = {"json": wanted} if path.startswith("/api") else {"data": wanted}
            assert client.post(path, **options).status_code == 403  # type: ignore[arg-type]
    assert house.records.assessments.of_workitems([item]) == {}


def test_results_are_assessed_one_at_a_time(house: House) -> None:
    addresses = [a_result_in(house) for _ in range(2)]
    with house.client() as client:
        many = {"action": "assess", "study": [address for address, _ in addresses]}
        assert client.post("/studies/acts", data=many).status_code == 422
    with house.client(UserRole.READER) as client:
        path = f"/studies/{addresses[0][0]}/assessments"
        both = {"workitem": [item for _, item in addresses], "decision": "accepted"}
        assert client.post(path, data=both).status_code == 404  # the last one is of another study
        body = {"workitem": both["workitem"], "decision": "accepted"}
        assert client.post(f"/api/v1{path}", json=body).status_code == 422
    assert house.records.assessments.of_workitems([item for _, item in addresses]) == {}


def test_what_was_taken_back_keeps_what_was_said_and_takes_no_more(house: House) -> None:
    address, item = a_result_in(house)
    path, form = f"/studies/{address}/assessments", {"workitem": item, "decision": "accepted"}
    with house.client(UserRole.READER) as client:
        client.post(path, data=form)
        assert house.records.moves.withdraw_here(house.records.workitems.one(item), "wrong")
        refused = client.post(path, data=form, headers={"Accept": "text/html"})
        shown = client.get(f"/studies/{address}").text
    assert refused.status_code == 409
    assert "it was taken back: a result that no longer stands is not assessed" in refused.text
    assert "It cannot be assessed any more: it was taken back" in text_of(shown)
    assert "accepted by test-" in text_of(shown)
    assert 'name="decision"' not in shown


def test_the_report_stays_unverified_and_as_it_was_sent(house: House, tmp_path: Path) -> None:
    address, item = a_result_in(house)
    analysis = analysis_of(write_series(tmp_path))
    [report] = OBJECTS.load("sr")().write(Writing(analysis))
    path = Path("results") / f"{item}.dcm"
    (house.site.data / path).parent.mkdir(exist_ok=True)
    report.save_as(house.site.data / path, enforce_file_format=True)
    before = (house.site.data / path).read_bytes()
    identity = str(report.SOPInstanceUID)
    put(house.records, a_result(item, identity=identity, path=path))
    with house.client(UserRole.READER) as client:
        form = {"workitem": item, "decision": "accepted"}
        assert client.post(f"/studies/{address}/assessments", data=form).status_code == 303
        given = client.get(f"/studies/{address}/results/{identity}").content
    assert given == before
    read = pydicom.dcmread(house.site.data / path)
    assert (read.VerificationFlag, "VerifyingObserverSequence" in read) == ("UNVERIFIED", False)


def test_programs_assess_and_read_what_was_said(house: House) -> None:
    address, item = a_result_in(house)
    path = f"/api/v1/studies/{address}/assessments"
    wanted = {"workitem": item, "decision": "rejected", "reason": REASON}
    with house.client(UserRole.READER) as client:
        made = client.post(path, json=wanted).json()
        assert (made["number"], made["decision"], made["reason"]) == (1, "rejected", REASON)
        assert client.post(path, json={**wanted, "reason": "it is MARKERID"}).status_code == 422
        assert client.post(path, json={**wanted, "workitem": "1.2"}).status_code == 404
        elsewhere = path.replace(address, "zzzzzzzzzzzz")
        assert client.post(elsewhere, json=wanted).status_code == 404
        assert client.get(elsewhere).status_code == 404
        found = client.post("/api/v1/finds", json={"assessments": ["rejected"]}).json()
    assert address in {study["address"] for study in found["studies"]}
    with house.client(UserRole.OPERATOR) as client:
        (shown,) = client.get(path).json()
    assert (shown["workitem"], shown["standing"], shown["objection"]) == (item, "rejected", "")
    assert [one["reason"] for one in shown["said"]] == [REASON]
    with house.client(UserRole.VIEWER) as client:
        assert client.get(path).status_code == 403


def test_statistics_say_what_readers_say_of_each_module(house: House) -> None:
    address, item = a_result_in(house)
    form = {"workitem": item, "decision": "rejected", "reason": "of the statistics"}
    with house.client(UserRole.READER) as client:
        client.post(f"/studies/{address}/assessments", data=form)
    for role in UserRole:
        shown = house.get("/statistics", role)
        assert "What readers say of the results" in shown
        assert ("of the statistics" in shown) is (role is not UserRole.VIEWER)
    with house.client(UserRole.VIEWER) as client:
        head, row = client.get("/statistics/assessments.csv?days=7").text.splitlines()
    said = dict(zip(head.split(","), row.split(","), strict=True))
    assert (said["module"], said["version"]) == ("m", "1")
    counts = ("accepted", "rejected", "supplemented", "readers_disagree")
    assert sum(int(said[name]) for name in counts) == int(said["assessed"])
    assert int(said["rejected"]) >= 1
    assert 0 < float(said["rejected_low"]) < float(said["rejected_share"])


# The command -------------------------------------------------------------------------------------


@pytest.fixture
def config(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SUDO_USER", "anna")
    (tmp_path / "hilum.toml").write_text(f'data = "{house.site.data}"\n')
    with closing(Everybody(house.site.data, house.site.console)) as everybody:
        for account in everybody.accounts.all():
            everybody.accounts.remove(account.name)
    return tmp_path / "hilum.toml"


def hilum(config: Path, *words: str, typed: str = "") -> Result:
    environment = {"COLUMNS": "200"}
    return CliRunner().invoke(app, [*words, "-c", str(config)], input=typed, env=environment)


def test_a_command_assesses_for_whoever_has_an_account_as_reader(
    house: House, config: Path, tmp_path: Path
) -> None:
    address, item = a_result_in(house)
    words = ("assess", address, "rejected", "--reason", REASON)
    refused = hilum(config, *words).exception
    assert isinstance(refused, HilumError)
    cure = re.search(r"`hilum (people add anna --role reader)`", str(refused))
    assert cure
    (tmp_path / "password").write_text("correct horse battery\n")
    (tmp_path / "password").chmod(0o600)
    file = ("--password-file", str(tmp_path / "password"))
    assert hilum(config, *cure[1].split(), *file).exit_code == 0
    said = hilum(config, *words)
    assert (said.exit_code, said.stderr) == (0, "anna says of m 1: rejected\n")
    assert hilum(config, "assess", item, "accepted", "--reason", "-", typed="seen\n").exit_code == 0
    rows = house.records.assessments.of_workitems([item])[item]
    assert [(r.identity, r.decision, r.reason) for r in rows] == [
        ("account anna", "rejected", REASON),
        ("account anna", "accepted", "seen"),
    ]
    noted = entries(house, item)
    assert [(e.outcome, e.person, e.account.split()[0]) for e in noted] == [
        (AuditOutcome.DENIED, "anna", "system"),
        (AuditOutcome.ASKED, "anna", "system"),
        (AuditOutcome.ASKED, "anna", "system"),
    ]
    assert REASON not in "".join(entry.reason for entry in noted)
    assert f"anna: rejected  {REASON}" in hilum(config, "assess", address).stdout
    shown = json.loads(hilum(config, "assess", address, "--json").stdout)
    assert [one["decision"] for one in shown] == ["rejected", "accepted"]


def test_a_command_assesses_nothing_for_others(house: House, config: Path) -> None:
    address, item = a_result_in(house)
    with closing(Everybody(house.site.data, house.site.console)) as everybody:
        everybody.accounts.add("anna", UserRole.OPERATOR, "correct horse battery")
        words = ("assess", address, "accepted")
        assert "anna is operator here, and only readers" in str(hilum(config, *words).exception)
        everybody.accounts.set_role("anna", UserRole.READER)
        everybody.accounts.disable("anna")
        assert "is disabled" in str(hilum(config, *words).exception)
        everybody.accounts.disable("anna", False)
        assert "say why" in str(hilum(config, "assess", address, "rejected").exception)
    assert house.records.assessments.of_workitems([item]) == {}
    assert "no reader has assessed this result of m 1" in hilum(config, "assess", address).stdout


def test_what_was_changed_meanwhile_is_on_record_as_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_house(tmp_path, assessment={"withdraw_rejected": True}) as house:
        address, item = a_result_in(house)

        def taken_back_after_the_look(looked_at: MayBeAssessed) -> str:
            objection = objection_to(looked_at)
            house.records.moves.withdraw_here(house.records.workitems.one(item), "wrong")
            return objection

        monkeypatch.setattr("hilum.console.assessing.objection_to", taken_back_after_the_look)
        wanted = {"workitem": item, "decision": "rejected", "reason": REASON}
        with house.client(UserRole.READER) as client:
            answer = client.post(f"/api/v1/studies/{address}/assessments", json=wanted)
        assert answer.status_code == 409
        assert house.records.requests.waiting() == []
        with closing(AuditStore(audit_file(house.site.data))) as store:
            noted = [(e.act, e.outcome) for e in store.after(0, 1000) if e.object == item]
    asked, failed = AuditOutcome.ASKED, AuditOutcome.FAILED
    both = (AuditedAct.ASSESS, AuditedAct.WITHDRAW)
    assert noted == [(act, outcome) for outcome in (asked, failed) for act in both]


@pytest.mark.parametrize("wished", [True, False])
def test_a_rejected_result_is_taken_back_only_if_the_site_wishes_so(
    tmp_path: Path, wished: bool
) -> None:
    with a_house(tmp_path, assessment={"withdraw_rejected": wished}) as house:
        address, item = a_result_in(house)
        path = f"/api/v1/studies/{address}/assessments"
        with house.client(UserRole.READER) as client:
            for decision in ("accepted", "supplemented", "rejected", "rejected"):
                said = {"workitem": item, "decision": decision, "reason": REASON}
                assert client.post(path, json=said).status_code == 200
        asked = house.records.requests.waiting()
        assert [(one.action, one.workitem_id, one.reason) for one in asked] == [
            (RequestAction.WITHDRAW_REJECTED, item, REASON)
        ] * wished
        with closing(AuditStore(audit_file(house.site.data))) as store:
            acts = [e.act for e in store.after(0, 1000) if e.object == item]
        assert (AuditedAct.WITHDRAW in acts) is wished


def test_by_command_a_rejected_result_is_taken_back_and_both_acts_are_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "anna")
    with a_house(tmp_path, assessment={"withdraw_rejected": True}) as house:
        config = tmp_path / "hilum.toml"
        config.write_text(f'data = "{house.site.data}"\n[assessment]\nwithdraw_rejected = true\n')
        (tmp_path / "password").touch(0o600)
        (tmp_path / "password").write_text("correct horse battery\n")
        file = ("--password-file", str(tmp_path / "password"))
        assert hilum(config, "people", "add", "anna", "--role", "reader", *file).exit_code == 0
        address, item = a_result_in(house)
        assert hilum(config, "assess", address, "rejected", "--reason", REASON).exit_code == 0
        [asked] = house.records.requests.waiting()
        assert (asked.action, asked.workitem_id) == (RequestAction.WITHDRAW_REJECTED, item)
        with closing(AuditStore(audit_file(house.site.data))) as store:
            acts = [e.act for e in store.after(0, 1000) if e.object == item]
        assert acts == [AuditedAct.ASSESS, AuditedAct.WITHDRAW]


def test_the_page_says_from_where_it_came_and_who_is_told(house: House) -> None:
    address, item = a_result_in(house)
    word = (item, 0, 1.0, "Doe Jane", "DICOM VIEWER doe jane", AssessmentDecision.REJECTED, REASON)
    assert house.records.assessments.add(Assessment(*word, "VIEWER", "1.2.3"))
    about = {"study_uid": item[:-2], "about": item, "state": WorkitemState.DELIVERING}
    note = a_workitem(id=f"{item}.note", kind=WorkitemKind.ASSESSMENT, **about)
    put(house.records, note, a_delivery(note.id, "out"))
    shown = text_of(house.get(f"/studies/{address}", UserRole.READER))
    assert "rejected by Doe Jane in an object from VIEWER" in shown
    assert "Note on what a reader said of a result of m 1 delivering" in shown
    with house.client(UserRole.READER) as client:
        [given] = client.get(f"/api/v1/studies/{address}/assessments").json()
    assert (given["said"][0]["sender"], given["said"][0]["object_uid"]) == ("VIEWER", "1.2.3")
