"""The pages: empty, busy, in trouble; what each role sees; and nothing received acts in them."""

import json
import re
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from fastapi.responses import StreamingResponse
from typer.testing import CliRunner

from factory import a_delivery, a_study, a_workitem, put
from hilum.acts.asking import MOST_AT_ONCE, audited_fetch
from hilum.audit import AuditedAct, AuditedObject, AuditOutcome, AuditStore, ObjectType, audit_file
from hilum.cli import app
from hilum.config import parse
from hilum.console.endpoints import pages
from hilum.people.roles import Permission, UserRole
from hilum.records import Records
from hilum.records.models.requests import Wish
from hilum.records.models.standings import DestinationStanding, Executor, NotedPause
from hilum.records.states import (
    DeliveryState,
    DestinationState,
    PausedKind,
    RequestAction,
    WorkitemState,
)
from hilum.rejections import Rejection, RejectionKind
from hilum.study.verdict import Verdict
from hilum.summary.numbers import (
    ClassificationSummary,
    MeasurementSummary,
    SegmentSummary,
    TableSummary,
)
from hilum.summary.pictures import CurveSummary, ParametricMapSummary, PlotSummary
from hilum.summary.remarks import DraftSummary, NoteSummary, UrgencySummary
from hilum.summary.shapes import LengthSummary
from hilum.wording import NOT_JUDGED_YET, person
from tests.patience import PATIENCE
from tests.postgres import Postgres
from tests.signing_in import signed_in

from .house import HIDDEN, NUMBERS, PAGES, SAID, House, a_house
from .serving import serving

SIGNING_IN = (AuditedAct.LOGIN, AuditedAct.LOGOUT, AuditedAct.PEOPLE_CHANGED)


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_a_study_says_that_it_waits_for_a_pause(house: House) -> None:
    address = house.study(WorkitemState.SCHEDULED, SAID)
    [item] = house.records.workitems.in_state(WorkitemState.SCHEDULED)
    for kind, name in ((PausedKind.MODULE, item.module), (PausedKind.DESTINATION, "out")):
        house.records.pauses.begin(NotedPause(kind, name, time.time(), "anna", f"so {HIDDEN}"))
    words = f"{item.module} disabled by anna"
    shown = text_of(house.get(f"/studies/{address}"))
    assert words in shown and "out paused" not in shown
    put(house.records, a_delivery(item.id, "out"))
    assert "out paused by anna" in text_of(house.get(f"/studies/{address}"))
    assert "something is paused" in text_of(house.get("/"))


def test_an_empty_house_says_what_to_expect(house: House) -> None:
    now = text_of(house.get("/"))
    assert "Nothing needs a person. Nothing was sent to out yet" in now
    assert f"No study yet. Hilum listens as HIPPOAI on 127.0.0.1:{house.site.receiver.port}" in now
    assert "No study has come yet." in text_of(house.get("/studies"))
    for page in PAGES:
        assert "Research use only, not for diagnosis" in house.get(page)


@pytest.mark.parametrize("state", list(WorkitemState))
def test_every_state_has_its_page(house: House, state: WorkitemState) -> None:
    address = house.study(state)
    for page in (*PAGES, f"/studies/{address}"):
        shown = house.get(page)
        assert HIDDEN not in shown
        assert "<script>" not in shown
    words = "had nothing to analyse" if state is WorkitemState.NOT_APPLICABLE else f">{state}<"
    assert words in house.get(f"/studies/{address}")


def test_the_way_of_a_study_counts_what_waits(house: House) -> None:
    for state in (WorkitemState.SCHEDULED, WorkitemState.SCHEDULED, WorkitemState.HELD):
        house.study(state)
    shown = text_of(house.get("/"))
    assert re.search(r"2 waiting oldest \d s", shown)
    assert re.search(r"1 held : studies that wait for a person, the oldest for \d s", shown)


def test_a_silent_destination_is_no_alarm_yet_and_not_well_either(house: House) -> None:
    standing = DestinationStanding("out", DestinationState.UNREACHABLE, time.time(), f"no {HIDDEN}")
    house.records.destinations.note(standing)
    assert "there is no answer from out" in text_of(house.get("/"))
    shown = house.get("/network")
    assert "no &lt;script&gt;" in shown


def test_a_rejected_sender_cannot_act_in_the_page(house: House) -> None:
    at = (
        time.time(),
        RejectionKind.CALLER,
        "10.0.0.1",
        HIDDEN[:16],
        "HILUM",
        f"not known {HIDDEN}",
    )
    house.records.rejections.note([Rejection.at(*at)])
    for page in ("/", "/network"):
        shown = house.get(page)
        assert "10.0.0.1" in shown
        assert "<script>" not in shown
    said = text_of(house.get("/"))
    assert "Something needs a person: 1 sender was rejected within the last hour" in said


@pytest.mark.parametrize("role", list(UserRole))
def test_patients_are_shown_to_roles_that_may_see_them(house: House, role: UserRole) -> None:
    address = house.study(WorkitemState.COMPLETED, SAID)
    pages = house.get("/studies", role) + house.get(f"/studies/{address}", role)
    for marker in ("MARKERID", "MARKER ", "ACC7"):
        assert (marker in pages) is (role is not UserRole.VIEWER), marker
    assert "<script>" not in pages


def test_a_search_is_not_in_its_address_and_belongs_to_its_maker(house: House) -> None:
    address = house.study(WorkitemState.COMPLETED, SAID)
    house.study(WorkitemState.COMPLETED)
    with house.client() as client, house.client(UserRole.READER) as other:
        found = client.post("/finds", data={"patient_id": "markerid"})
        assert found.status_code == 303
        place = found.headers["location"]
        assert re.fullmatch(r"/finds/[\w-]{12}", place)
        shown = client.get(place).text
        assert address in shown
        assert "1 study" in text_of(shown)
        assert other.get(place).status_code == 404
        assert client.get(place, params={"state": "failed"}).text.count("study-") == 0
        assert client.post("/finds", data={}).headers["location"] == "/studies"


def test_a_list_has_pages_and_filters(house: House) -> None:
    addresses = [house.study(WorkitemState.COMPLETED) for _ in range(51)]
    held = house.study(WorkitemState.HELD)
    first, last = house.get("/studies"), house.get("/studies?page=2")
    assert "52 studies, page 1 of 2" in text_of(first)
    assert addresses[0] not in first
    assert addresses[0] in last
    only = house.get("/studies?state=held")
    assert held in only
    assert addresses[0] not in only
    with house.client() as client:
        assert client.get("/studies?page=3").status_code == 404


def test_an_act_reaches_the_gateway_with_its_reason(house: House) -> None:
    address = house.study(WorkitemState.COMPLETED)
    uid = house.records.identifiers.study_at(address)
    form = {"workitem": f"{uid}.1", "action": "withdraw"}
    with house.client(UserRole.OPERATOR) as client:
        path = f"/studies/{address}/acts"
        assert client.post(path, data=form).status_code == 422  # no reason
        assert client.post(path, data={**form, "action": "release"}).status_code == 409
        assert client.post(path, data={**form, "workitem": "1.2"}).status_code == 404
        assert house.records.requests.waiting() == []
        done = client.post(path, data={**form, "reason": "wrong side"})
        assert done.status_code == 303
        assert "noted; the gateway will do it" in client.get(done.headers["location"]).text
    [asked] = house.records.requests.waiting()
    assert (asked.action, asked.reason) == (RequestAction.WITHDRAW, "wrong side")


def test_a_chart_counts_one_as_one(house: House) -> None:
    house.study(WorkitemState.COMPLETED)
    said = text_of(house.get("/"))
    assert "1 study " in said
    assert "1 studies" not in said
    assert "0 results shown" in said


def test_a_refused_act_comes_back_with_what_was_typed(house: House) -> None:
    address = house.study(WorkitemState.COMPLETED)
    uid = house.records.identifiers.study_at(address)
    path = f"/studies/{address}/acts"
    send = {"workitem": f"{uid}.1", "action": "send on", "images": "true"}
    back = {"workitem": f"{uid}.1", "action": "withdraw", "reason": "wrong side" * 100}
    with house.client(UserRole.OPERATOR) as client:
        without = client.post(path, data=send)
        long = client.post(path, data=back)
        gone = client.post(path, data={**back, "action": "release", "reason": "it is back"})
    assert without.status_code == 422
    [form] = re.findall(r"<details open>.*?</details>", without.text, re.DOTALL)
    assert re.search(r'<p class="problem">Choose a destination', form)
    assert 'name="images" value="true" checked' in form
    assert long.status_code == 422
    assert f'name="reason" required maxlength="500" value="{back["reason"]}"' in long.text
    assert gone.status_code == 409  # its form is not offered any more
    assert "You wrote: it is back" in text_of(gone.text)
    assert house.records.requests.waiting() == []


def test_who_took_a_result_back_and_why_stands_on_the_page_and_in_the_trace(house: House) -> None:
    address = house.study(WorkitemState.COMPLETED)
    uid = house.records.identifiers.study_at(address)
    form = {"workitem": f"{uid}.1", "action": "withdraw", "reason": "wrong side"}
    with house.client(UserRole.OPERATOR) as client:
        client.post(f"/studies/{address}/acts", data=form)
    house.records.moves.set_state(f"{uid}.1", WorkitemState.WITHDRAWN, "taken back")
    said = re.compile(r"[Tt]est-\w+ asked for withdraw: wrong side")
    assert len(said.findall(house.get(f"/studies/{address}"))) == 2
    seen = house.get(f"/studies/{address}", UserRole.VIEWER)
    assert ("asked for withdraw" in seen, "wrong side" in seen) == (True, False)
    config = house.site.data.parent / "hilum.toml"
    config.write_text(f'data = "{house.site.data}"')
    words = ["trace", address, "--config", str(config)]
    assert said.search(CliRunner().invoke(app, words).stdout)
    lines = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert [line["kind"] for line in lines] == ["person", "withdrawn"]


def test_the_same_for_several_studies_where_it_can_be_done(house: House) -> None:
    addresses = [house.study(state) for state in (WorkitemState.FAILED, WorkitemState.HELD)]
    addresses.append(house.study(WorkitemState.COMPLETED))
    form = {"action": "rerun", "study": addresses[:2], "back": "/studies?state=held"}
    with house.client() as client:
        done = client.post("/studies/acts", data=form)
        assert done.headers["location"] == "/studies?state=held&asked=2"
        elsewhere = {**form, "back": "//elsewhere.example/studies"}
        assert (
            client.post("/studies/acts", data=elsewhere).headers["location"].startswith("/studies?")
        )
        assert client.post("/studies/acts", data={**form, "action": "withdraw"}).status_code == 422


def test_structures_without_a_measurement_of_their_own_are_told_with_their_volumes(
    house: House,
) -> None:
    uid, at = f"1.2.{next(NUMBERS)}", time.time()
    structures = [SegmentSummary(f"Structure {n}", 1000 * n, float(n)) for n in range(1, 105)]
    measured = MeasurementSummary("Volume", 7.5, "ml", of="Structure 7")
    found = (SegmentSummary("104 structures", 1000), *structures, measured)
    item = a_workitem(id=f"{uid}.1", study_uid=uid, state=WorkitemState.COMPLETED, findings=found)
    study = a_study(study_uid=uid, folder=uid, images=9, settled_images=9, first_at=at, last_at=at)
    put(house.records, study, item)
    address = house.records.identifiers.addresses([uid])[uid]
    page = house.get(f"/studies/{address}")
    shown = text_of(page)
    assert "Volumes of 103 structures" in shown
    assert "<details>" in page, "so many are shown when they are asked for"
    assert "Structure 104 104.0 mL" in shown, "as reports print it"
    assert "7.50 mL" in shown and "Structure 7 7.00 mL" not in shown
    assert "104 structures" not in shown


def test_a_result_is_told_with_numbers_cautions_deliveries_and_verdicts(house: House) -> None:
    uid, at = f"1.2.{next(NUMBERS)}", time.time()
    item = a_workitem(
        id=f"{uid}.1",
        study_uid=uid,
        state=WorkitemState.PARKED,
        findings=(
            MeasurementSummary(
                "Volume", 3.379, "ml", of="Hippocampus", uncertainty=0.17, followed=True
            ),
            ClassificationSummary("Normal", "Normal (0.9)"),
            LengthSummary("Width", 212.4, ((1.0, 2.0), (3.0, 4.0)), "1.9.1"),
            TableSummary("Nodules", ("lobe", "size"), (("upper left", "4 mm"),)),
            DraftSummary("No fracture is seen."),
            ParametricMapSummary("Diffusion", 0.25, 1.5, "ml"),
            PlotSummary(
                "Wash-in", "s", "signal", (CurveSummary("Left", (0.0, 9.0), (1.0, 4.0), (1, 2, 3)),)
            ),
            UrgencySummary("free air"),
            NoteSummary("Much motion.", caution=True),
        ),
        verdicts=(Verdict("series", "1.9", "T1 crop", 32, True, ("it matches",)),),
    )
    sent = a_delivery(item.id, "out", state=DeliveryState.REFUSED, reason="enable SEG there")
    study = a_study(
        study_uid=uid, folder=uid, images=32, settled_images=32, first_at=at, last_at=at
    )
    put(house.records, study, item, sent)
    address = house.records.identifiers.addresses([uid])[uid]
    shown = text_of(house.get(f"/studies/{address}"))
    for words in (
        "3.38 ± 0.17 mL",
        "Much motion.",
        "low confidence Normal (0.9)",
        "Width: 212.4 mm",
        "Nodules lobe size upper left 4 mm",
        "Draft, not checked by anybody: No fracture is seen.",
        "urgent Free air.",
        "Map of Diffusion: 0.25 to 1.5 mL",
        "Wash-in: signal over s",
        "0 to 9 across, 1 to 4 up: Left",
        "out : enable SEG there",
        "T1 crop 32 m used it matches",
    ):
        assert words in shown
    assert "Send again" in shown
    assert "Send again" not in text_of(house.get(f"/studies/{address}", UserRole.READER))


def test_statistics_are_the_same_as_a_picture_a_table_and_csv(house: House) -> None:
    house.study(WorkitemState.COMPLETED)
    house.study(WorkitemState.HELD)
    shown = text_of(house.get("/statistics"))
    assert "2 studies" in shown
    assert "m ! held 1" in shown.replace("held", "! held", 1) or "held 1" in shown
    lines = house.get("/statistics.csv?days=7").splitlines()
    assert len(lines) == 8
    day = time.strftime("%Y-%m-%d")
    assert lines[-1] == f"{day},2,0,,,1"


def test_a_destination_is_tested_from_its_page(house: House) -> None:
    with house.client() as client:
        answer = client.post("/network/destinations/out/test")
        assert answer.status_code == 200
        assert 'class="state well"' in answer.text
        assert client.post("/network/destinations/none/test").status_code == 404


def test_looks_searches_and_acts_are_on_record(house: House) -> None:
    address = house.study(WorkitemState.FAILED, SAID)
    uid = house.records.identifiers.study_at(address)
    with house.client(UserRole.OPERATOR) as client:
        for _ in range(2):  # the same page again is the same look
            client.get(f"/studies/{address}")
        client.post("/finds", data={"patient_id": "MARKERID"})
        form = {"action": "rerun"}
        client.post(f"/studies/{address}/acts", data=form)
    with house.client(UserRole.VIEWER) as client:
        client.get(f"/studies/{address}")  # sees no patient
    with closing(AuditStore(audit_file(house.site.data))) as store:
        entries = [entry for entry in store.after(0, 100) if entry.act not in SIGNING_IN]
    noted = [(entry.act, entry.object_type, entry.patient_id) for entry in entries]
    assert noted == [
        (AuditedAct.OPENED, ObjectType.STUDY, "MARKERID"),
        (AuditedAct.SEARCHED, ObjectType.SEARCH, "MARKERID"),
        (AuditedAct.RERUN, ObjectType.STUDY, "MARKERID"),
    ]
    assert {entry.study_uid for entry in entries} == {uid, ""}


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/studies/zzzzzzzzzzzz", 404, "There is no study at this address."),
        ("/nothing", 404, "There is no page at this address."),
        ("/studies?page=7", 404, "There is no page 7"),
        ("/studies?page=x", 422, "This cannot be right: page."),
        ("/finds/unknown", 404, "This search is over"),
        ("/modules/unknown", 404, "No such module is installed."),
    ],
)
def test_a_mishap_is_a_page_for_people(house: House, path: str, status: int, words: str) -> None:
    with house.client() as client:
        answer = client.get(path, headers={"Accept": "text/html"})
    assert answer.status_code == status
    assert words in text_of(answer.text)
    assert "Go to the first page" in answer.text


def test_programs_find_and_act_as_people_do(house: House) -> None:
    address = house.study(WorkitemState.FAILED, SAID)
    house.study(WorkitemState.COMPLETED)
    uid = house.records.identifiers.study_at(address)
    with house.client(UserRole.OPERATOR) as client:
        found = client.post("/api/v1/finds", json={"patient_id": "markerid"}).json()
        assert [study["address"] for study in found["studies"]] == [address]
        assert client.post("/api/v1/finds", json={"page": 9}).status_code == 422
        path = f"/api/v1/studies/{address}/acts"
        of_study, offered = client.get(path).json()
        assert of_study["actions"] == ["rerun", "analyse"]
        assert offered["actions"] == ["send on", "withdraw"]
        wanted = {"workitem": offered["workitem"], "action": "send on", "destinations": ["out"]}
        reply = client.post(path, json=wanted).json()
        assert (reply["done"], reply["request"]) == (True, 1)
        assert client.post(path, json={**wanted, "action": "withdraw"}).status_code == 422
        assert client.post(path, json={**wanted, "action": "analyse"}).status_code == 422
        assert client.post(path, json={**wanted, "destinations": []}).status_code == 422
        assert client.post(path, json={**wanted, "action": "cancel"}).status_code == 409
        assert client.post(path, json={**wanted, "workitem": "x"}).status_code == 404
        assert client.get("/api/v1/studies/zzzzzzzzzzzz/acts").status_code == 404
    [asked] = house.records.requests.waiting()
    assert (asked.action, asked.workitem_id) == (RequestAction.SEND_ON, f"{uid}.1")
    assert asked.wish == Wish(destinations=("out",))


def test_now_does_not_call_well_what_waits_for_a_person(tmp_path: Path) -> None:
    with a_house(tmp_path) as house:
        house.study(WorkitemState.HELD)
        house.study(WorkitemState.RUNNING)
        house.records.executors.beat(Executor("1", "worker", "here", 1, "1", time.time()))
        shown = house.get("/")
    assert "Something needs a person: images are missing in 1 study." in text_of(shown)
    assert '<a href="/studies?state=held"><b>1</b> held</a>' in shown
    assert '<span class="number"><a href="/studies?state=running">1</a></span>' in shown


def test_rules_are_sentences_and_others_can_be_tried(house: House) -> None:
    shown = text_of(house.get("/rules", UserRole.OPERATOR))
    assert "There is no rule: nothing is analysed." in shown
    assert "Try other rules" not in shown
    with house.client() as client:
        tried = client.post("/rules", data={"text": '[[rule]]\nmodule = "m"', "studies": 3})
        assert tried.status_code == 200
        assert "0 of 0 studies would be treated otherwise" in text_of(tried.text)
        wrong = client.post("/rules", data={"text": f"[[rule {HIDDEN}"})
        assert wrong.status_code == 422
        assert "this is not TOML" in wrong.text
        assert "<script>" not in wrong.text


def test_what_a_role_does_not_allow_is_on_record_once(house: House) -> None:
    with house.client(UserRole.VIEWER) as client:
        for _ in range(3):
            assert client.get("/people").status_code == 403
    with closing(AuditStore(audit_file(house.site.data))) as store:
        denied = [e for e in store.after(0, 100) if e.outcome is AuditOutcome.DENIED]
    told = [(entry.object, entry.role, entry.address) for entry in denied]
    assert told == [("/people", "viewer", "127.0.0.1")]


def test_a_program_has_a_study_fetched_and_sees_how_far_it_is(tmp_path: Path) -> None:
    source = {"name": "archive", "kind": "orthanc", "url": "http://127.0.0.1:9"}
    with a_house(tmp_path, source=[source]) as house, house.client(UserRole.OPERATOR) as client:
        wanted = {"archive": "archive", "study": " A77 "}
        asked = client.post("/api/v1/fetches", json=wanted).json()
        assert (asked["archive"], asked["has_ended"]) == ("archive", False)
        house.records.requests.note_progress(asked["request"], "1 of 3 images fetched")
        path = f"/api/v1/fetches/{asked['request']}"
        assert client.get(path).json()["text"] == "1 of 3 images fetched"
        assert "1 of 3 images fetched" in client.get(f"/fetches/{asked['request']}").text
        house.records.requests.answer(asked["request"], False, "not fetched: it is not there")
        assert client.get(path).json() | {"request": 1} == {
            "request": 1,
            "archive": "archive",
            "study_uid": "",
            "has_ended": True,
            "done": False,
            "text": "not fetched: it is not there",
        }
        for path in ("/api/v1/fetches", "/fetches"):
            form = {"json" if "api" in path else "data": {**wanted, "archive": "out"}}
            assert client.post(path, **form).status_code == 404
            assert client.get(f"{path}/99").status_code == 404
    with closing(AuditStore(audit_file(house.site.data))) as store:
        [noted] = [entry for entry in store.after(0, 100) if entry.act is AuditedAct.FETCH]
    assert (noted.object_type, noted.object) == (ObjectType.SOURCE, "archive")


def test_a_list_of_studies_is_fetched_and_each_is_told(tmp_path: Path) -> None:
    source = {"name": "archive", "kind": "orthanc", "url": "http://127.0.0.1:9"}
    with a_house(tmp_path, source=[source]) as house, house.client(UserRole.OPERATOR) as client:
        assert re.findall("<option>(.*)</option>", client.get("/fetches").text) == ["archive"]
        typed = {"archive": "archive", "study": f"A1\r\nA2,A1\r\n {HIDDEN}\r\n"}
        begun = client.post("/fetches", data=typed)
        path = begun.headers["Location"]
        assert begun.status_code == 303 and "A1" not in path
        first, second, third = house.records.requests.to_fetch()
        assert [one.reason for one in (first, second, third)] == ["A1", "A2", HIDDEN]
        house.records.requests.note_study(first.id, "1.2.3")
        put(house.records, a_study(study_uid="1.2.3"))
        house.records.requests.answer(first.id, True, "3 images fetched from archive")
        house.records.requests.answer(second.id, False, "not fetched: it is not there")
        shown = client.get(path).text
        assert "2 of 3 studies answered" in shown and "every 2s" in shown
        address = house.records.identifiers.addresses(["1.2.3"])["1.2.3"]
        assert f'<a href="/studies/{address}">A1</a>' in shown
        assert "A2 failed Not fetched: it is not there" in text_of(shown)
        assert "<td></td></tr>" in shown  # nothing is said of the third one yet
        house.records.requests.answer(third.id, False, "not fetched")
        assert "every 2s" not in client.get(path).text
        with house.client(UserRole.ADMINISTRATOR) as another:
            assert another.get(path).status_code == 404
        too_many = "\n".join(map(str, range(MOST_AT_ONCE + 1)))
        for text in ("", " ,;\n", too_many, f"A1\n{'7' * 65}"):
            refused = client.post("/fetches", data={"archive": "archive", "study": text})
            assert refused.status_code == 422
        assert len(house.records.requests.to_fetch()) == 0
    with closing(AuditStore(audit_file(house.site.data))) as store:
        noted = [entry for entry in store.after(0, 100) if entry.act is AuditedAct.FETCH]
    assert len(noted) == 3


def test_the_trail_calls_a_fetch_by_what_it_is_from_and_what_is_fetched(house: House) -> None:
    uid, out = "1.2.840.7", ObjectType.DESTINATION
    assert audited_fetch(house.site, "out", uid) == (AuditedObject(out, "out", uid), "")
    by_number = (AuditedObject(out, "out"), "accession number A77")
    assert audited_fetch(house.site, "out", "A77") == by_number


def test_a_page_that_fails_says_so_in_our_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = pages()

    @broken.get("/broken", Permission.LOOK)
    @broken.get("/api/v1/broken", Permission.LOOK)
    @broken.get("/broken/{name}", Permission.LOOK)
    def fails() -> None:
        raise ValueError(HIDDEN)

    @broken.get("/half", Permission.LOOK)
    def fails_late() -> StreamingResponse:
        def parts() -> Iterator[bytes]:
            yield b"a part"
            raise ValueError(HIDDEN)

        return StreamingResponse(parts())

    (tmp_path / "data").mkdir(mode=0o700)
    site = parse({"data": str(tmp_path / "data")})
    with (
        closing(Records("sqlite://")) as records,
        serving(site, records, [broken]) as url,
        signed_in(site, UserRole.VIEWER, url) as client,
    ):
        page = client.get("/broken", headers={"Accept": "text/html"})
        answer = client.get("/api/v1/broken")
        assert client.get("/broken/Marker").status_code == 500
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/half")
    assert (page.status_code, answer.status_code) == (500, 500)
    assert "Hilum has made a mistake here: its log says where" in page.text
    assert answer.json()["detail"].startswith("Hilum has made a mistake here")
    assert HIDDEN not in page.text + answer.text
    assert page.headers["X-Content-Type-Options"] == "nosniff", "it is protected as any page"
    said = [(one.name, one.getMessage(), one.exc_info) for one in caplog.records]
    ours = [text for name, text, _ in said if name == "hilum.console.mishaps"]
    routes = ("/broken", "/api/v1/broken", "/broken/{name}", "/half")
    assert [text.partition(": ")[0] for text in ours] == [f"GET {of} failed" for of in routes]
    assert all("ValueError in test_pages.py, line " in text for text in ours)
    assert not any(stack for _, _, stack in said) and HIDDEN not in caplog.text
    assert "Marker" not in caplog.text


def test_records_that_do_not_answer_are_said_and_the_page_comes_back(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    site, file = parse({"data": str(data)}), data / "hilum.db"
    with (
        closing(Records(f"sqlite:///{file}", patience=0.1)) as records,
        serving(site, records) as url,
        signed_in(site, UserRole.OPERATOR, url) as client,
    ):
        records.database.close()
        file.rename(tmp_path / "away.db")
        file.mkdir()
        page = client.get("/studies", headers={"Accept": "text/html"})
        answer = client.get("/api/v1/studies")
        act = client.post("/why", data={"wanted": "1.2.3456"}, headers={"Accept": "text/html"})
        assert (page.status_code, answer.status_code, act.status_code) == (503, 503, 503)
        for shown in (page, act):
            assert "The records do not answer" in shown.text
            assert "look at the database" in shown.text
        assert 'http-equiv="refresh"' in page.text, "it looks again by itself"
        assert 'http-equiv="refresh"' not in act.text, "what was typed is not sent again"
        assert answer.json()["detail"].startswith("the records do not answer")
        file.rmdir()
        (tmp_path / "away.db").rename(file)
        assert client.get("/studies").status_code == 200


def test_a_page_waits_no_longer_for_a_database_that_was_stopped(
    tmp_path: Path, postgres: Postgres
) -> None:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    site = parse({"data": str(data)})
    with (
        closing(Records(postgres.database(), patience=0.5)) as records,
        serving(site, records) as url,
        signed_in(site, UserRole.VIEWER, url) as client,
    ):
        assert client.get("/studies").status_code == 200
        with postgres.silent():
            page = client.get("/studies", headers={"Accept": "text/html"}, timeout=PATIENCE)
            answer = client.get("/api/v1/studies", timeout=PATIENCE)
        assert (page.status_code, answer.status_code) == (503, 503)
        assert "The records do not answer" in page.text and "look at the database" in page.text
        assert client.get("/studies").status_code == 200


def test_a_study_says_on_its_page_what_it_waits_for_or_lacks(house: House) -> None:
    about = {"reason": "T1: 2 slices missing", "patience": 120.0, "last_at": time.time()}
    put(house.records, a_study(study_uid="1.2.78", settled_images=0, **about))
    lacking = house.study(WorkitemState.NOT_APPLICABLE)
    held = house.study(WorkitemState.HELD)
    waiting = house.records.identifiers.addresses(["1.2.78"])["1.2.78"]
    with house.client(UserRole.OPERATOR) as client:
        shown = text_of(client.get(f"/studies/{waiting}").text)
        waits = r"More images are waited for: T1: 2 slices missing, silent for \d+ of 120 s\."
        assert re.search(waits, shown)
        assert "What to do Send the missing images" in text_of(client.get(f"/studies/{held}").text)
        assert "No series for m came." in text_of(client.get(f"/studies/{lacking}").text)


def test_a_study_that_no_rule_takes_is_not_said_to_be_undecided(house: House) -> None:
    put(house.records, a_study(study_uid="1.2.79", settled_images=3, images=3))
    address = house.records.identifiers.addresses(["1.2.79"])["1.2.79"]
    shown = text_of(house.get(f"/studies/{address}", UserRole.OPERATOR))
    assert "No rule takes the study" in shown
    assert "Nothing is decided yet" not in shown


def test_the_page_of_a_study_leads_to_its_viewer(tmp_path: Path) -> None:
    out = {"name": "out", "kind": "folder", "folder": "out"}
    viewer = "https://viewer.hospital/?study={study_uid}&layout=2"
    with a_house(tmp_path, destination=[{**out, "viewer_url": viewer}]) as house:
        address = house.study(WorkitemState.COMPLETED)
        uid = house.records.search.at(address).study_uid
        link = f'href="https://viewer.hospital/?study={uid}&amp;layout=2"'
        assert link in house.get(f"/studies/{address}")
        assert link not in house.get(f"/studies/{address}", UserRole.VIEWER)


def test_a_study_that_waits_for_no_image_is_not_said_to(house: House) -> None:
    why = f"{NOT_JUDGED_YET}: the module m cannot be used"
    put(house.records, a_study(study_uid="1.2.77", settled_images=0, reason=why))
    address = house.records.identifiers.addresses(["1.2.77"])["1.2.77"]
    with house.client(UserRole.OPERATOR) as client:
        shown = text_of(client.get(f"/studies/{address}").text)
        found = text_of(client.get("/studies?state=cannot+be+judged").text)
        now = text_of(client.get("/").text)
    assert "cannot be judged What the log says" in shown
    assert "The study cannot be judged yet: the module m cannot be used." in shown
    assert "What to do Have the module work again" in shown
    assert "1 cannot be judged" in now and "the module m cannot be used" in found
    assert "images may still come" not in shown and "more images" not in shown


@pytest.mark.parametrize(
    ("stated", "written"),
    [
        ("Müller^Jörg^^von^Dr.", "Müller Jörg von Dr."),
        ("Yamada^Tarou=山田^太郎=やまだ^たろう", "Yamada Tarou (山田 太郎, やまだ たろう)"),
        ("=山田^太郎", "山田 太郎"),
        ("Wang^XiaoDong=王^小东=", "Wang XiaoDong (王 小东)"),
        ("", ""),
        ("^^^^", ""),
    ],
)
def test_a_name_is_written_as_people_do(stated: str, written: str) -> None:
    assert person(stated) == written


def test_pages_where_images_come_in_say_that_the_disk_has_no_room(tmp_path: Path) -> None:
    low = {"receiver": {"low_water_mb": 1 << 40}}
    with a_house(tmp_path, **low) as house, house.client() as client:
        shown = {path: text_of(client.get(path).text) for path in ("/", "/network", "/upload")}
    assert "Something needs a person: the disk has too little room." in shown["/"]
    assert "no room The disk of the data folder has too little room" in shown["/network"]
    assert "too little room: no image is taken in until there is more" in shown["/upload"]
