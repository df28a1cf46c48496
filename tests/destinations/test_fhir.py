"""Results in a record: FHIR R4 by transactions, to a server with the rules of real ones."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset

from hilum.answers import Acceptance, Answer, Checked
from hilum.destinations.fhir import MOST_CHANGES, FhirDestination, FhirDestinationSettings
from hilum.dicom.uids import derived_uid
from hilum.errors import DeliveryDelayed, DeliveryError, DeliveryRefused
from hilum.objects import Analysis
from hilum.objects.analysis import WrittenFile
from hilum.objects.fhir.bundle import FhirResult
from hilum.objects.kinds import Writing
from hilum.results import FHIR, Result
from hilum.testing import check_destination
from tests.fhir_server import SECRET, SYSTEM, WELL, FhirBehaviour, FhirServer, Somebody, fhir_server
from tests.objects import exams

ISSUER = "urn:oid:2.999.2"


@pytest.fixture
def server() -> Iterator[FhirServer]:
    with fhir_server() as running:
        yield running


def record(server: FhirServer, **settings: Any) -> FhirDestination:
    given = {"name": "record", "url": server.url, "patient_system": SYSTEM, **settings}
    made = FhirDestinationSettings(**given)
    made.check()
    return FhirDestination(made)


@dataclass
class Author:
    """Writes results of one exam as files, as a workitem does."""

    folder: Path
    change: Callable[[Dataset], None] = lambda _image: None

    def __post_init__(self) -> None:
        images = self.folder / "images"
        images.mkdir()
        self.study = exams.write_exam(images, self.change, shape=(5, 12, 12))

    def analysis(self, run: str, *replaced: Result, count: int = 3, **values: Any) -> Analysis:
        """Of so many structures; it replaces, or takes back, results that were written before."""
        series = self.study.series[0]
        before = tuple(
            WrittenFile(one.kind, one.identity, one.path.read_bytes()) for one in replaced
        )
        found = exams.segments(series)[:count]
        given = {"workitem_id": run, "replaced": before, **values}
        return exams.result_of(self.study, series, found, **given)

    def result(self, run: str, *replaced: Result, **values: Any) -> Result:
        """Written once where nothing is special: the printed pages take their time."""
        if not (replaced or values) and (path := self.folder / f"{run}.json").exists():
            return self._kept(run, path.read_bytes())
        [content] = FhirResult().write(Writing(self.analysis(run, *replaced, **values)))
        return self._kept(run, content)

    def withdrawal(self, run: str, *results: Result, **values: Any) -> Result:
        analysis = self.analysis(run, *results, **values)
        identities = [result.identity for result in results]
        return self._kept(
            run, FhirResult().write_withdrawal(Writing(analysis), identities, "Another structure.")
        )

    def _kept(self, run: str, content: bytes) -> Result:
        path = self.folder / f"{run}.json"
        path.write_bytes(content)
        identity = derived_uid("result", run)
        return Result("fhir", FHIR, identity, path, self.study.uid, run)


@pytest.fixture(scope="module")
def author(tmp_path_factory: pytest.TempPathFactory) -> Author:
    return Author(tmp_path_factory.mktemp("author"))


def sent(destination: FhirDestination, *results: Result) -> None:
    """All of `results` are taken, and shown."""
    answers = list(destination.send(results))
    assert {answer.acceptance for answer in answers} == {Acceptance.TAKEN}
    assert destination.ask(results).missing == ()


def test_the_contract(server: FhirServer, author: Author) -> None:
    server.add_patient("4711")
    check_destination(record(server), [author.result("a")])


# What is there afterwards -------------------------------------------------------------------------


def test_a_result_is_preliminary_and_of_the_patient_who_has_the_id(
    server: FhirServer, author: Author
) -> None:
    patient = server.add_patient("4711")
    sent(record(server, accession_system="urn:oid:2.999.3"), author.result("a"))
    assert server.statuses() == {"DiagnosticReport preliminary": 1, "Observation preliminary": 6}
    made = server.all("DiagnosticReport") + server.all("Observation")
    assert {one["subject"]["reference"] for one in made} == {patient}
    orders = [one["basedOn"][0]["identifier"] for one in made]
    assert {(one["system"], one["value"]) for one in orders} == {("urn:oid:2.999.3", "A1")}
    [device] = server.all("Device")
    assert {one["device"]["reference"] for one in server.all("Observation")} == {
        f"Device/{device['id']}"
    }
    assert len(server.all("Patient")) == 1


def test_a_repeat_makes_nothing_new(server: FhirServer, author: Author) -> None:
    server.add_patient("4711")
    result = author.result("a")
    sent(record(server), result)
    places = set(server.history)
    sent(record(server), result)
    assert set(server.history) == places
    for versions in server.history.values():
        assert {**versions[-1], "meta": versions[0]["meta"]} == versions[0], "the same content"


def test_a_result_that_replaces_another_is_a_version_of_it(
    server: FhirServer, author: Author
) -> None:
    server.add_patient("4711")
    destination = record(server)
    first = author.result("a")
    sent(destination, first)
    places = set(server.history)
    second = author.result("b", first, count=2)
    assert destination.ask([second]).missing == (second,), "it is another one"
    sent(destination, second)
    assert set(server.history) == places
    assert destination.ask([first]).missing == (first,), "it is no longer there"
    assert server.statuses() == {
        "DiagnosticReport preliminary": 1,
        "Observation preliminary": 4,
        "Observation entered-in-error": 2,
    }
    [report] = server.all("DiagnosticReport")
    assert len(report["result"]) == 2
    third = author.result("c", second)  # the structure is found again
    sent(destination, third)
    assert set(server.history) == places
    assert server.statuses() == {"DiagnosticReport preliminary": 1, "Observation preliminary": 6}


def test_other_weights_are_another_device(server: FhirServer, author: Author) -> None:
    server.add_patient("4711")
    first = author.result("a")
    sent(record(server), first)
    newer = replace(exams.MODULE, version="2", weights_sha256="6e" * 32)
    sent(record(server), author.result("b", first, count=1, module=newer))
    devices = {f"Device/{one['id']}": one["version"][0]["value"] for one in server.all("Device")}
    assert sorted(devices.values()) == ["1.0", "2"]
    made_by = {
        (one["status"], devices[one["device"]["reference"]]) for one in server.all("Observation")
    }
    assert made_by == {("preliminary", "2"), ("entered-in-error", "1.0")}


def test_what_is_withdrawn_says_so_whatever_became_of_the_patient(
    server: FhirServer, author: Author
) -> None:
    patient = server.add_patient("4711")
    destination = record(server)
    first = author.result("a")
    sent(destination, first)
    second = author.result("b", first, count=2)
    sent(destination, second)
    values = {one["id"]: one.get("valueQuantity") for one in server.all("Observation")}
    server.history[patient][-1]["identifier"] = []
    taken_back = author.withdrawal("n", second, count=2)
    sent(destination, taken_back)
    assert server.statuses() == {
        "DiagnosticReport entered-in-error": 1,
        "Observation entered-in-error": 6,
    }
    assert {one["id"]: one.get("valueQuantity") for one in server.all("Observation")} == values
    [report] = server.all("DiagnosticReport")
    assert report["conclusion"] == "Another structure."
    assert "presentedForm" not in report
    assert report["subject"] == {"reference": patient}


def test_what_was_never_there_is_not_made_to_be_taken_back(
    server: FhirServer, author: Author
) -> None:
    server.add_patient("4711")
    first = author.result("a")
    [answer] = record(server).send([author.withdrawal("n", first)])
    assert answer.acceptance is Acceptance.NEEDLESS
    assert len(server.history) == 1
    sent(record(server), author.result("b", first, count=1))
    assert server.statuses() == {"DiagnosticReport preliminary": 1, "Observation preliminary": 2}


# The patient --------------------------------------------------------------------------------------


def no_patient(_server: FhirServer) -> None:
    """There is none."""


def two_patients(server: FhirServer) -> None:
    for _ in range(2):
        server.add_patient("4711")


def merged_patient(server: FhirServer) -> None:
    other = {"other": {"reference": "Patient/other"}, "type": "replaced-by"}
    server.add_patient("4711", link=[other])


def unused_patient(server: FhirServer) -> None:
    server.add_patient("4711", active=False)


def of_another_system(server: FhirServer) -> None:
    server.add_patient("4711", system="urn:oid:2.999.9")


def merged_elsewhere(server: FhirServer) -> None:
    """Of two who have had the ID, the one was merged into somebody else."""
    merged_patient(server)
    server.add_patient("4711")


def one_left(server: FhirServer) -> None:
    """Every cure: in the end one patient has the ID."""
    for place in [place for place in server.history if place.startswith("Patient/")]:
        del server.history[place]
    server.add_patient("4711")


@pytest.mark.parametrize(
    ("arrange", "text"),
    [
        (no_patient, "no patient there has the ID of the images: have the patient registered"),
        (of_another_system, "or correct patient_system"),
        (two_patients, "several patients there have the ID of the images: have them merged there"),
        (merged_elsewhere, "several patients there have the ID of the images"),
        (merged_patient, "or has merged it into another: have the images corrected"),
        (unused_patient, "no longer uses the patient who has the ID"),
    ],
)
def test_nobody_is_made_or_guessed(
    server: FhirServer,
    author: Author,
    arrange: Callable[[FhirServer], None],
    text: str,
) -> None:
    arrange(server)
    before = set(server.history)
    result = author.result("a")
    with pytest.raises(DeliveryRefused, match=re.escape(text)):
        list(record(server).send([result]))
    assert set(server.history) == before
    one_left(server)
    sent(record(server), result)


@pytest.mark.parametrize("form", ["{}", "http://record/fhir/{}", "{}/_history/2"])
def test_who_was_merged_into_the_one_in_use_is_no_other_patient(
    server: FhirServer, author: Author, form: str
) -> None:
    """Servers leave both, and both with the ID."""
    patient = server.add_patient("4711", active=True)
    link = {"other": {"reference": form.format(patient)}, "type": "replaced-by"}
    server.add_patient("4711", active=False, link=[link])
    sent(record(server), author.result("a"))
    [report] = server.all("DiagnosticReport")
    assert report["subject"]["reference"] == patient


@pytest.mark.parametrize("status", ["final", "amended", "corrected", "partial", "cancelled"])
def test_what_somebody_has_signed_is_not_written_over(
    server: FhirServer, author: Author, status: str
) -> None:
    server.add_patient("4711")
    destination = record(server)
    first = author.result("a")
    sent(destination, first)
    [report] = [place for place in server.history if place.startswith("DiagnosticReport/")]
    server.history[report][-1]["status"] = status
    versions = {place: len(known) for place, known in server.history.items()}
    later = (author.result("b", first, count=2), author.withdrawal("n", first))
    for result in later:
        with pytest.raises(DeliveryRefused, match="whose status is no longer preliminary"):
            list(destination.send([result]))
    assert {place: len(known) for place, known in server.history.items()} == versions
    server.history[report][-1]["status"] = "preliminary"  # the cure
    sent(destination, later[0])


@pytest.mark.parametrize("conflict_status", [412, 409])
def test_what_is_signed_between_our_look_and_our_write_is_not_written_over(
    server: FhirServer, author: Author, conflict_status: int
) -> None:
    server.add_patient("4711")
    destination, first = record(server), author.result("a")
    sent(destination, first)
    [report] = [place for place in server.history if place.startswith("DiagnosticReport/")]
    somebody = Somebody(server, report, "final")
    server.behaviour = FhirBehaviour(meanwhile=somebody, conflict_status=conflict_status)
    for later in (author.result("b", first, count=2), author.withdrawal("n", first)):
        somebody.times = 1
        [answer] = destination.send([later])
        assert (answer.acceptance, answer.most_times) == (Acceptance.LATER, MOST_CHANGES)
        assert "was changed" in answer.text and SECRET not in answer.text
        assert server.history[report][-1]["status"] == "final"
        with pytest.raises(DeliveryRefused, match="whose status is no longer preliminary"):
            list(destination.send([later]))
        server.history[report][-1]["status"] = "preliminary"  # the cure
    sent(destination, later)


def test_what_changes_and_stays_preliminary_is_looked_at_again(
    server: FhirServer, author: Author
) -> None:
    server.add_patient("4711")
    destination, first = record(server), author.result("a")
    sent(destination, first)
    [report] = [place for place in server.history if place.startswith("DiagnosticReport/")]
    server.behaviour = FhirBehaviour(meanwhile=Somebody(server, report, "preliminary"))
    later, after = author.result("b", first, count=2), author.result("c")
    answers = list(destination.send([later, after]))
    assert [one.acceptance for one in answers] == [Acceptance.LATER] * 2, "none overtakes it"
    sent(destination, later)


def removes(resource: dict[str, Any]) -> None:
    del resource["meta"]["versionId"]


@pytest.mark.parametrize("change", [removes, lambda report: report["meta"].update(versionId='1"')])
def test_a_server_that_gives_no_version_is_updated_without(
    server: FhirServer, author: Author, change: Callable[[dict[str, Any]], None]
) -> None:
    server.add_patient("4711")
    destination, first = record(server), author.result("a")
    sent(destination, first)
    for place, versions in server.history.items():
        if place.startswith("DiagnosticReport/"):
            change(versions[-1])
    sent(destination, author.result("b", first, count=2))


def test_a_server_that_gives_nothing_back_is_not_asked_for_the_report(
    server: FhirServer, author: Author
) -> None:
    server.add_patient("4711")
    list(record(server, proof="accepted").send([author.result("a")]))
    assert not [line for line in server.asked if "DiagnosticReport/_search" in line]
    assert server.statuses()["DiagnosticReport preliminary"] == 1


def test_a_server_that_searches_badly_is_not_believed(server: FhirServer, author: Author) -> None:
    server.add_patient("somebody else")
    server.behaviour = FhirBehaviour(ignores_identifiers=True)
    result = author.result("a")
    with pytest.raises(DeliveryRefused, match="enable the search of patients by identifier there"):
        list(record(server).send([result]))
    server.behaviour = FhirBehaviour(page=True)
    server.add_patient("4711")
    with pytest.raises(DeliveryRefused, match="several patients"):
        list(record(server).send([result]))
    server.behaviour = WELL  # the cure
    sent(record(server), result)


def issued(name: str, universal: str = "", kind: str = "") -> Callable[[Dataset], None]:
    def change(image: Dataset) -> None:
        image.IssuerOfPatientID = name
        if universal:
            item = Dataset()
            item.UniversalEntityID, item.UniversalEntityIDType = universal, kind
            image.IssuerOfPatientIDQualifiersSequence = [item]

    return change


def test_each_issuer_has_its_system(server: FhirServer, tmp_path: Path) -> None:
    server.add_patient("4711")  # of the system of images without an issuer: somebody else
    mine = server.add_patient("4711", system=ISSUER)
    result = Author(tmp_path, issued("HOSP")).result("a")
    with pytest.raises(DeliveryRefused, match="patient_systems does not name: add it there"):
        list(record(server).send([result]))
    sent(record(server, patient_systems={"HOSP": ISSUER}), result)  # the cure
    assert server.all("DiagnosticReport")[0]["subject"]["reference"] == mine


def test_images_may_state_the_system_themselves(server: FhirServer, tmp_path: Path) -> None:
    mine = server.add_patient("4711", system=ISSUER)
    oid = ISSUER.removeprefix("urn:oid:")
    sent(record(server), Author(tmp_path, issued("HOSP", oid, "ISO")).result("a"))
    assert server.all("DiagnosticReport")[0]["subject"]["reference"] == mine


def test_images_without_a_patient_id_are_of_nobody(server: FhirServer, tmp_path: Path) -> None:
    server.add_patient("4711")

    def change(image: Dataset) -> None:
        image.PatientID = ""

    with pytest.raises(DeliveryRefused, match="state no patient ID"):
        list(record(server).send([Author(tmp_path, change).result("a")]))


ODD = "Marker,B|C$D%&+ E"


def test_a_patient_id_stands_in_no_address(server: FhirServer, tmp_path: Path) -> None:
    def change(image: Dataset) -> None:
        image.PatientID = ODD
        image.PatientName = "Marker^Name"

    for other in ("Marker", "B", "Marker,B"):
        server.add_patient(other)
    mine = server.add_patient(ODD)
    result = Author(tmp_path, change).result("a")
    sent(record(server), result)
    assert server.all("DiagnosticReport")[0]["subject"]["reference"] == mine
    assert "Marker" not in "".join(server.asked)
    assert {line.split()[1] for line in server.asked} == {
        "/fhir",
        *(f"/fhir/{kind}/_search" for kind in ("Patient", "DiagnosticReport", "Observation")),
    }


# What goes wrong ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind", "acceptance", "text"),
    [
        (400, DeliveryRefused, Acceptance.NEVER, "it cannot read the resources"),
        (401, DeliveryRefused, Acceptance.NEVER, "the login is wrong"),
        (405, DeliveryRefused, Acceptance.NEVER, "it takes no transactions: enable them there"),
        (409, DeliveryRefused, Acceptance.NEVER, "in conflict with others there"),
        (412, DeliveryRefused, Acceptance.NEVER, "have the identifier of one of ours: remove"),
        (413, DeliveryRefused, Acceptance.NEVER, "too large: raise the limit there"),
        (422, DeliveryRefused, Acceptance.NEVER, "break a rule of the record"),
        (429, DeliveryDelayed, Acceptance.LATER, "asks us to wait 7 s"),
        (503, DeliveryDelayed, Acceptance.LATER, "asks us to wait 7 s"),
        (500, DeliveryDelayed, Acceptance.UNKNOWN, "HTTP 500"),
    ],
)
def test_each_refusal_has_its_patience_and_its_cure(
    server: FhirServer,
    author: Author,
    status: int,
    kind: type[DeliveryError],
    acceptance: Acceptance,
    text: str,
) -> None:
    server.add_patient("4711")
    server.behaviour = FhirBehaviour(status=status, retry_after="7")
    result = author.result("a")
    collected: list[Answer] = []
    with pytest.raises(kind, match=text) as raised:
        for answer in record(server).send([result]):
            collected.append(answer)
    assert [answer.acceptance for answer in collected] == [acceptance]
    assert SECRET in collected[0].comment, "for the eyes of the owner"
    assert SECRET not in collected[0].text + str(raised.value)
    server.behaviour = WELL
    sent(record(server), result)


@pytest.mark.parametrize(
    ("status", "kind", "acceptance"),
    [
        ("422 Unprocessable Entity", DeliveryRefused, Acceptance.NEVER),
        ("409", DeliveryRefused, Acceptance.NEVER),
        ("500", DeliveryDelayed, Acceptance.UNKNOWN),
    ],
)
def test_an_entry_may_fail_in_a_success(
    server: FhirServer,
    author: Author,
    status: str,
    kind: type[DeliveryError],
    acceptance: Acceptance,
) -> None:
    server.add_patient("4711")
    server.behaviour = FhirBehaviour(entry_status=status)
    result = author.result("a")
    collected: list[Answer] = []
    with pytest.raises(kind, match=f"HTTP {status[:3]}"):
        for answer in record(server).send([result]):
            collected.append(answer)
    assert [answer.acceptance for answer in collected] == [acceptance]
    assert SECRET in collected[0].comment
    server.behaviour = WELL
    sent(record(server), result)


def test_two_resources_with_one_identifier_are_for_a_person(
    server: FhirServer, author: Author
) -> None:
    server.add_patient("4711")
    result = author.result("a")
    sent(record(server), result)
    [report] = server.all("DiagnosticReport")
    server.history["DiagnosticReport/twin"] = [{**report, "id": "twin"}]
    with pytest.raises(DeliveryRefused, match="HTTP 412"):
        list(record(server).send([result]))
    assert len(server.history[f"DiagnosticReport/{report['id']}"]) == 1, "nothing of it was done"
    del server.history["DiagnosticReport/twin"]  # the cure
    sent(record(server), result)


@pytest.mark.parametrize("is_kept", [True, False])
def test_without_an_answer_nobody_knows(server: FhirServer, author: Author, is_kept: bool) -> None:
    server.add_patient("4711")
    server.behaviour = FhirBehaviour(drop_first=1, drop_keeps=is_kept)
    destination, result = record(server), author.result("a")
    collected: list[Answer] = []
    with pytest.raises(DeliveryDelayed):
        for answer in destination.send([result]):
            collected.append(answer)
    assert [answer.acceptance for answer in collected] == [Acceptance.UNKNOWN]
    assert (destination.ask([result]).missing == ()) is is_kept
    sent(destination, result)


def loses_the_unit(resource: dict[str, Any]) -> None:
    resource.get("valueQuantity", {})["code"] = "cm3"


def rounds(resource: dict[str, Any]) -> None:
    quantity = resource.get("valueQuantity", {"value": 0})
    quantity["value"] = round(quantity["value"], 1)


def signs(resource: dict[str, Any]) -> None:
    if "status" in resource:
        resource["status"] = "final"


@pytest.mark.parametrize("change", [loses_the_unit, rounds, signs])
def test_what_is_stored_otherwise_is_not_proven(
    server: FhirServer, author: Author, change: Callable[[dict[str, Any]], None]
) -> None:
    server.add_patient("4711")
    server.behaviour = FhirBehaviour(change=change)
    destination, result = record(server), author.result("a")
    [answer] = destination.send([result])
    assert answer.acceptance is Acceptance.TAKEN
    assert destination.ask([result]).missing == (result,)


def test_a_web_page_is_no_acceptance(server: FhirServer, author: Author) -> None:
    server.add_patient("4711")
    result = author.result("a")
    elsewhere = record(server, url=server.url.removesuffix("/fhir"))
    with pytest.raises(DeliveryRefused, match="it does not answer as a FHIR server: correct url"):
        list(elsewhere.send([result]))
    server.behaviour = FhirBehaviour(is_login=True)
    collected: list[Answer] = []
    with pytest.raises(DeliveryRefused, match="it does not answer as a FHIR server"):
        for answer in record(server, proof="accepted").send([result]):
            collected.append(answer)
    assert [answer.acceptance for answer in collected] == [Acceptance.UNKNOWN]
    server.behaviour = WELL
    sent(record(server), result)  # the cure


def checks(destination: FhirDestination) -> dict[str, Checked]:
    return {one.what: one for one in destination.check()}


@pytest.mark.parametrize(
    ("behaviour", "what", "text"),
    [
        (FhirBehaviour(version="5.0.0"), "FHIR R4", "another version of FHIR than R4"),
        (FhirBehaviour(transactions=False), "FHIR R4", "it takes no transactions"),
        (FhirBehaviour(meta_status=404), "FHIR R4", "HTTP 404"),
        (FhirBehaviour(search_status=405), "patients", "enable POST _search there"),
        (FhirBehaviour(search_status=403), "patients", "give it the right"),
    ],
)
def test_a_trial_says_what_is_wrong(
    server: FhirServer, behaviour: FhirBehaviour, what: str, text: str
) -> None:
    server.behaviour = behaviour
    tried = checks(record(server))
    assert not tried[what].good
    assert text in tried[what].text
    assert SECRET not in tried[what].text
    server.behaviour = FhirBehaviour(version="4.3.0")
    assert all(one.good for one in checks(record(server)).values())


def test_one_that_is_down_is_not_reachable(server: FhirServer) -> None:
    server.behaviour = FhirBehaviour(meta_status=403)
    assert record(server).is_reachable(), "it refuses, so it is there"
    server.behaviour = FhirBehaviour(meta_status=502)
    assert not record(server).is_reachable()
    server.close()
    assert not record(server).is_reachable()
