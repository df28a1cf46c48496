"""Whose the images of a study are, chosen on a page or through the API, as by `hilum decide`."""

import copy
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager

import httpx
import pytest

from hilum.acts.requests import obey
from hilum.alarms import alarms_now
from hilum.audit import AuditedAct, AuditEntry, AuditStore, audit_file
from hilum.audit.store import AuditFilter
from hilum.console.api import acts
from hilum.console.pages import patients
from hilum.dicom.instance import Instance
from hilum.inbox import Intake
from hilum.people.roles import UserRole
from hilum.processes.hints import Quarantined
from hilum.records.states import EventKind, WorkitemState
from tests.core.test_order_of_arrival import Gateway, as_file, slices
from tests.core.test_patient_updates import NEW, OLD, UID, adt, hall, hear
from tests.patience import until
from tests.signing_in import signed_in

from .house import HIDDEN
from .serving import serving


@pytest.fixture(autouse=True)
def _nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gateway answers when the test has it do so."""
    monkeypatch.setattr(patients, "ANSWERED_IN", 0.0)
    monkeypatch.setattr(acts, "PATIENCE", 0.0)


@contextmanager
def heard(*messages: bytes) -> Iterator["Chooser"]:
    """A study with a result, about whose patient these messages came."""
    with hall() as (made, taken):
        made.flow.site.data.chmod(0o700)
        hear(made, taken, *messages)
        with (
            serving(made.flow.site, made.records) as url,
            signed_in(made.flow.site, UserRole.OPERATOR, url) as client,
        ):
            client.headers["Accept"] = "text/html"
            yield Chooser(made, client, url)


class Chooser:
    """An operator, and the gateway that does what is asked."""

    def __init__(self, made: Gateway, client: httpx.Client, url: str) -> None:
        self.made, self.client, self.url = made, client, url
        address = made.records.identifiers.addresses([UID])[UID]
        self.study = f"/studies/{address}"
        self.page = f"{self.study}/patients"

    def number_of(self, name: str) -> str:
        """The number of the radio button in the row that shows `name`."""
        rows = self.client.get(self.page).text.split("<tr>")
        [row] = [row for row in rows if name in row]
        return re.findall(r'value="(\w+)" required', row)[0]

    def choose(self, number: str) -> str:
        """The page to which the choice leads, once the gateway has seen to it."""
        sent = self.client.post(self.page, data={"patient": number})
        assert sent.status_code == 303, sent.text
        obey(self.made.flow)
        return self.client.get(sent.headers["location"]).text

    def name(self) -> str:
        """That of the images which count."""
        folder = self.made.flow.inbox.study_folder(UID)
        return Instance.read(next(folder.glob("*.dcm"))).header.text("PatientName", 64)

    def alarms(self) -> list[str]:
        return [alarm.name for alarm in alarms_now(self.made.flow.site, self.made.records)]

    def on_record(self) -> list[AuditEntry]:
        with closing(AuditStore(audit_file(self.made.flow.site.data))) as store:
            return store.latest(AuditFilter(), 100)


RENAMED = adt("A08", {3: [OLD], 5: ("Roe", "Jane")})


def test_the_alarm_leads_to_the_page_and_what_is_chosen_there_is_done() -> None:
    with heard(RENAMED) as operator:
        link = f'<a href="{operator.page}">Patients of study '
        assert f"See in {link}" in operator.client.get("/").text
        study = operator.client.get(operator.study).text
        assert link in study and "hilum decide" not in study
        assert f'<a class="button" href="{operator.page}">Decide</a>' in study
        shown = operator.client.get(operator.page).text
        assert "each result of the present images is taken back" in shown
        assert "sent by patient_updates (HL7)" in shown and "Marker^Patient" in shown
        answer = operator.choose(operator.number_of("Roe^Jane"))
        assert 'class="answer well"' in answer and "Decide: decided; " in answer
        assert operator.name() == "Roe^Jane" and operator.alarms() == []
        [item] = operator.made.items("one")[:1]
        assert item.state is WorkitemState.WITHDRAWN, "its result was of another patient"
        [entry] = [one for one in operator.on_record() if one.act is AuditedAct.DECIDE]
        assert (entry.study_uid, entry.patient_id) == (UID, "marker-id")
        looked = [one for one in operator.on_record() if one.act is AuditedAct.OPENED]
        assert {one.patient_id for one in looked} == {"marker-id"}


def test_what_is_here_may_stay() -> None:
    with heard(RENAMED) as operator:
        answer = operator.choose(operator.number_of("Marker^Patient"))
        assert "decided: the study stays as it is" in answer
        assert operator.name() == "Marker^Patient" and operator.alarms() == []
        assert "not taken" in operator.client.get(operator.page).text


def test_what_is_here_may_stay_where_only_the_sex_differs() -> None:
    """The number stands for name, birth date and IDs, so it was that of both."""
    with heard(adt("A08", {3: [OLD], 5: ("Marker", "Patient"), 8: "F"})) as operator:
        assert operator.alarms() == ["corrections"]
        rows = operator.client.get(operator.page).text
        numbers = re.findall(r'value="(\w+)" required', rows)
        assert numbers[0] == "present" and len(set(numbers)) == 2
        answer = operator.choose("present")
        assert "decided: the study stays as it is" in answer and operator.alarms() == []
        told = operator.made.records.events.of_kind(UID, EventKind.IDENTITY)
        assert [one.text for one in told] == ["a person decided that the study stays as it is"]


def test_images_that_came_again_corrected_are_offered_in_the_same_way() -> None:
    with heard() as operator:
        corrections = operator.made.flow.corrections
        for image in slices("one"):
            again = copy.deepcopy(image)
            again.PatientName = "Roe^Jane"
            stored = operator.made.inbox.store(as_file(again), sender="PACS")
            assert stored.outcome is Intake.QUARANTINED
            corrections.add(Quarantined(stored.path, caller="PACS", study=UID))
        until(lambda: corrections.turn() or not corrections.is_busy, "the comparison")
        shown = operator.client.get(operator.page).text
        assert "sent by PACS at" in shown
        assert "decided; " in operator.choose(operator.number_of("Roe^Jane"))
        assert operator.name() == "Roe^Jane" and operator.alarms() == []


def test_a_programs_choice_is_the_same() -> None:
    with heard(RENAMED) as operator:
        path = f"/api/v1{operator.page}"
        offered = operator.client.get(path).json()
        assert [one["kind"] for one in offered["versions"]] == ["present", "sent"]
        present, sent = offered["versions"]
        assert (present["stated"]["name"], sent["stated"]["name"]) == ("Marker^Patient", "Roe^Jane")
        assert sent["senders"] == ["patient_updates (HL7)"] and sent["images"] == present["images"]
        reply = operator.client.post(path, json={"number": sent["number"]}).json()
        obey(operator.made.flow)
        asked = operator.made.records.requests.one(reply["request"])
        assert asked.done and operator.name() == "Roe^Jane"


def test_a_choice_that_cannot_be_is_refused_on_its_page() -> None:
    refused = {
        ("", 422): "Choose one of the patients.",
        ("00000000", 409): "No patient of this study has the number 00000000.",
    }
    with heard(RENAMED) as operator:
        for (number, status), words in refused.items():
            answer = operator.client.post(operator.page, data={"patient": number})
            assert answer.status_code == status
            assert words in answer.text and "Marker^Patient" in answer.text
        assert operator.made.records.requests.waiting() == []
        number = operator.number_of("Marker^Patient")
        operator.choose(number)
        again = operator.client.post(operator.page, data={"patient": number})
        assert again.status_code == 409
        assert "Nothing of this study waits for a decision" in again.text
        for file in operator.made.flow.site.data.glob("**/*.dcm"):
            file.unlink()
        gone = operator.client.get(operator.page)
        assert gone.status_code == 409
        assert "No image of this study is on this machine" in gone.text


def test_nothing_that_a_header_says_acts_on_the_page() -> None:
    with heard(adt("A40", {3: [NEW], 5: (HIDDEN, "x")}, merged=[OLD])) as operator:
        shown = operator.client.get(operator.page).text
        assert "&lt;script&gt;" in shown and "<script>document" not in shown
        with signed_in(operator.made.flow.site, UserRole.READER, operator.url) as reader:
            study = reader.get(operator.study).text
            assert "patient data were corrected: a person has to decide" in study
            assert "Decide</a>" not in study, "who may not act is told that somebody has to"
            assert reader.get(operator.page).status_code == 403
