"""One brain study and one film: every consumer of a result has the same numbers, or says why not.

All of them are away while the studies are analysed and when the results are taken back, and lose
nothing. Each is read by a program that is not ours: highdicom, `fhir.resources`, hl7apy, pandas and
DuckDB, and a client of UPS-RS that follows the step to its results in the archive.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pandas as pd
import pydicom
import pytest
from fhir.resources.R4B.observation import Observation
from highdicom.sr import ValueTypeValues
from highdicom.sr.utils import find_content_items
from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.parser import parse_message
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from hilum.asking import ask
from hilum.cli import app
from hilum.dicom.instance import Instance
from hilum.records.models.deliveries import Delivery
from hilum.records.models.workitems import Workitem
from hilum.records.states import DestinationState, RequestAction, WorkitemKind
from hilum_lab.network.chest_exam import make_chest_exam
from hilum_lab.network.exam import make_exam
from hilum_lab.network.processes import available_port
from tests.archives import Orthanc
from tests.fhir_server import SYSTEM, FhirBehaviour, FhirServer
from tests.mllp_receiver import ACCEPTS, HANGS_UP, Receiver, receiving
from tests.worklists.manager import COMPLETED, WorklistManager, by_http

from .site import Running, running

WANTED = {"BRAIN^99T": "hippocampal-volume", "FILM^99T": "chest-radiograph"}
LATE = 2  # slices of the brain that come after the first result
SCALES = {"ml": (1000.0, "mm3"), "1": (100.0, "%")}  # from the units of an export to ours
DIGITS = 9  # of a number that all keep: a decimal string of DICOM has 16 characters
LINK = "https://viewer/?StudyInstanceUIDs="
Numbers = Counter[tuple[str, str, float]]  # code, unit and value


def rounded(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


class Hospital:
    """An archive, a record, a report system and a worklist, which go down and come back together.

    When they come back, the record does the first transaction and the report system takes the
    first message, and neither says so.
    """

    def __init__(self, folder: Path) -> None:
        self.archive = Orthanc(folder / "pacs")
        self.record = FhirServer()
        self.reports = Receiver(answers=[HANGS_UP, ACCEPTS], port=available_port())
        self.worklist, self.worklist_port = WorklistManager(), available_port()

    @contextmanager
    def open(self) -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(self.archive)
            self.record.open(FhirBehaviour(drop_first=1))
            stack.callback(self.record.close)
            stack.enter_context(receiving(self.reports))
            stack.enter_context(by_http(self.worklist, self.worklist_port))
            yield

    def settings(self) -> dict[str, Any]:
        viewer = f"{LINK}{{study_uid}}"
        return {
            "destination": [
                {"name": "pacs", "kind": "dicomweb", "url": self.archive.dicomweb_url},
                {
                    "name": "record",
                    "kind": "fhir",
                    "url": self.record.url,
                    "patient_system": SYSTEM,
                },
                {"name": "ris", "kind": "mllp", "port": self.reports.port, "link": viewer},
            ],
            "rule": [
                {
                    "module": "hippocampal-volume",
                    "series": {"SeriesDescription": "^HippoCrop$"},
                    "send_to": ["pacs", "record", "ris"],
                },
                {"module": "chest-radiograph", "send_to": ["pacs", "record", "ris"]},
            ],
            "worklist": [
                {
                    "name": "list",
                    "kind": "ups-rs",
                    "url": f"http://127.0.0.1:{self.worklist_port}/dicom-web",
                    "modules": WANTED,
                    "poll_seconds": 1,
                }
            ],
        }

    # Read by others ------------------------------------------------------------------------------

    def reports_in_archive(self, study_uid: str) -> list[Dataset]:
        """The measurement reports of a study, the oldest first."""
        found = [ds for ds in self._held(study_uid) if ds.Modality == "SR"]
        return sorted(found, key=lambda ds: str(ds.ContentDate) + str(ds.ContentTime))

    def notes_in_archive(self, study_uid: str) -> set[str]:
        """The SOP Instance UIDs that key object selections reject."""
        return {
            str(reference.ReferencedSOPInstanceUID)
            for ds in self._held(study_uid)
            if ds.Modality == "KO"
            for study in ds.CurrentRequestedProcedureEvidenceSequence
            for series in study.ReferencedSeriesSequence
            for reference in series.ReferencedSOPSequence
        }

    def _held(self, study_uid: str) -> list[Dataset]:
        query = {"Level": "Instance", "Query": {"StudyInstanceUID": study_uid}}
        keys = httpx.post(f"{self.archive.url}/tools/find", json=query).json()
        files = [httpx.get(f"{self.archive.url}/instances/{key}/file").content for key in keys]
        return [pydicom.dcmread(BytesIO(file)) for file in files]

    def numbers_in_record(self, study_uid: str) -> tuple[set[str], Numbers]:
        """The statuses of report and Observations, and the numbers that are not taken back."""
        [report] = [
            one
            for one in self.record.all("DiagnosticReport")
            if one["imagingStudy"][0]["identifier"]["value"] == f"urn:oid:{study_uid}"
        ]
        found, statuses = Numbers(), {str(report["status"])}
        for resource in self.record.all("Observation"):
            one = Observation.model_validate(resource)
            if one.derivedFrom[0].identifier.value != f"urn:oid:{study_uid}":
                continue
            statuses.add(one.status)
            for part in (one, *(one.component or ())):
                if part.valueQuantity and one.status == "preliminary":
                    code, value = part.code.coding[0].code, part.valueQuantity
                    found[code, value.code, rounded(float(value.value))] += 1
        return statuses, found

    def messages(self, study_uid: str) -> list[Any]:
        """Those about a study, each once, as a receiver keeps them that knows repeats."""
        kept = dict.fromkeys(content for content in self.reports.came)
        about = [content for content in kept if f"{LINK}{study_uid}".encode() in content]
        tolerant = VALIDATION_LEVEL.TOLERANT
        return [
            parse_message(content.decode(), validation_level=tolerant, find_groups=False)
            for content in about
        ]

    def performed(self, step: str) -> Numbers:
        """The numbers of the reports that a completed step names, by the address that it names."""
        url = f"http://127.0.0.1:{self.worklist_port}/dicom-web/workitems/{step}"
        [answer] = httpx.get(url).json()
        ds = Dataset.from_json(answer)
        assert ds.ProcedureStepState == COMPLETED
        [performed] = ds.UnifiedProcedureStepPerformedProcedureSequence
        found = Numbers()
        for series in performed.OutputInformationSequence:
            [way] = series.WADORSRetrievalSequence
            named = {one.ReferencedSOPInstanceUID for one in series.ReferencedSOPSequence}
            held = httpx.get(f"{way.RetrieveURL}/metadata").json()
            objects = [Dataset.from_json(one) for one in held]
            assert {one.SOPInstanceUID for one in objects} == named
            for one in objects:
                if one.Modality == "SR":
                    found += numbers_in(one)
        return found


def numbers_in(report: Dataset) -> Numbers:
    """Every number of a measurement report."""
    found = Numbers()
    for item in find_content_items(report, value_type=ValueTypeValues.NUM, recursive=True):
        [name], [measured] = item.ConceptNameCodeSequence, item.MeasuredValueSequence
        [unit] = measured.MeasurementUnitsCodeSequence
        found[name.CodeValue, unit.CodeValue, rounded(float(measured.NumericValue))] += 1
    return found


def numbers_in_message(message: Any) -> Numbers:
    found = Numbers()
    for one in message.children:
        if one.name == "OBX" and one.obx_2.value == "NM":
            value, unit = float(one.obx_5.value), one.obx_6.obx_6_1.value
            found[one.obx_3.obx_3_1.value, unit, rounded(value)] += 1
    return found


def values_in(table: pd.DataFrame) -> set[tuple[str, float]]:
    """Unit and value of what an export says of one run, in the units of the report."""
    found = set()
    for row in table.itertuples():
        for value in (row.value, row.uncertainty):
            if not pd.isna(value):
                scale, unit = SCALES.get(row.unit, (1, row.unit))
                found.add((unit, rounded(value * scale)))
    return found


class Site:
    """A Hilum that serves `hospital`, and what is sent to it."""

    def __init__(self, hilum: Running, hospital: Hospital, folder: Path) -> None:
        self.hilum, self.hospital, self.folder = hilum, hospital, folder

    def send(self, files: list[Path]) -> str:
        self.hilum.send(files)
        return Instance.read(files[0]).study_uid

    def newest(self, study_uid: str) -> Workitem:
        """The run that no other one has replaced."""
        runs = [
            item
            for item in self.hilum.records.workitems.of_study(study_uid)
            if item.kind is WorkitemKind.RUN and item.superseded_by is None
        ]
        assert len(runs) == 1
        return runs[0]

    def deliveries(self, study_uid: str) -> list[Delivery]:
        items = self.hilum.records.workitems.of_study(study_uid)
        return [one for i in items for one in self.hilum.records.deliveries.of_workitem(i.id)]

    def all_owed(self, study_uid: str, owed: int) -> None:
        """Wait until so many deliveries wait, and it is known that no destination answers."""

        def tried() -> bool:
            waiting = [one for one in self.deliveries(study_uid) if not one.state.settled]
            standings = self.hilum.records.destinations.all().values()
            states = [standing.state for standing in standings]
            return len(waiting) == owed and states == [DestinationState.UNREACHABLE] * 3

        self.hilum.until(tried, "all to be owed while nobody answers")

    def arrived(self, study_uid: str, owed: int) -> None:
        """Wait until so many deliveries have arrived; none was sent twice."""

        def have() -> bool:
            states = [one.state for one in self.deliveries(study_uid)]
            return len(states) == owed and all(state.settled for state in states)

        self.hilum.until(have, "every delivery")

    def exported(self, study_uid: str) -> pd.DataFrame:
        """What pandas reads of the CSV file of an export, and DuckDB of the Parquet file."""
        config = ["--config", str(self.folder / "hilum.toml"), "--identified"]
        for ending in ("csv", "parquet"):
            file = self.folder / f"export.{ending}"
            file.unlink(missing_ok=True)
            done = CliRunner().invoke(app, ["export", str(file), *config])
            assert done.exit_code == 0, done.output
        table = pd.read_csv(self.folder / "export.csv", dtype={"version": str, "study_date": str})
        with duckdb.connect() as connection:
            read = connection.read_parquet(str(self.folder / "export.parquet"))
            rows = read.filter(f"study = '{study_uid}'").aggregate("count(*), sum(value)")
            count, total = rows.fetchall()[0]
        of_study = table[table["study"] == study_uid]
        assert (len(of_study), float(of_study["value"].sum())) == (count, pytest.approx(total))
        return of_study

    def agree(self, study_uid: str, step: str) -> None:
        """The newest result has the same numbers wherever it went."""
        hospital, item = self.hospital, self.newest(study_uid)
        expected = numbers_in(hospital.reports_in_archive(study_uid)[-1])
        assert expected.total() > 2
        assert hospital.numbers_in_record(study_uid)[1] == expected
        assert numbers_in_message(hospital.messages(study_uid)[-1]) == expected
        assert hospital.performed(step) == expected
        table = self.exported(study_uid)
        of_run = table[table["workitem"] == item.id]
        assert values_in(of_run) == {(unit, value) for _, unit, value in expected}
        assert set(of_run["superseded"]) == {False}


def statuses(message: Any) -> set[str]:
    return {one.obx_11.value for one in message.children if one.name == "OBX"}


def order(message: Any) -> str:
    [request] = [one for one in message.children if one.name == "OBR"]
    return str(request.obr_3.value)


@pytest.mark.slow
def test_every_consumer_has_the_same_numbers_and_says_what_became_of_them(
    tmp_path: Path,
) -> None:
    hospital = Hospital(tmp_path)
    crop = make_exam(tmp_path / "brain", series=("HippoCrop",))
    brain = sorted(crop.rglob("*.dcm"), key=lambda file: int(pydicom.dcmread(file).InstanceNumber))
    film = make_chest_exam(tmp_path / "film", views=("PA", "LL"))
    [frontal], [lateral] = ([*(film / view).glob("*.dcm")] for view in ("01", "02"))
    for file in (brain[0], frontal):
        hospital.record.add_patient(str(pydicom.dcmread(file).PatientID))
    with running(tmp_path, in_file=True, **hospital.settings()) as hilum:
        site = Site(hilum, hospital, tmp_path)
        studies = {"BRAIN": site.send(brain[:-LATE]), "FILM": site.send([frontal])}
        more = {"BRAIN": brain[-LATE:], "FILM": [lateral]}

        # 1. All of them are away while both are analysed.
        for study in studies.values():
            site.all_owed(study, 3)
        for code, study in studies.items():
            hospital.worklist.schedule(f"1.2.3.{len(code)}", study, code)
        with hospital.open():
            for code, study in studies.items():
                step = f"1.2.3.{len(code)}"
                site.arrived(study, 3)
                hilum.until(lambda s=step: hospital.worklist.state(s) == COMPLETED, "the step")
                site.agree(study, step)

            # 2. Both studies change, and the newer results take the place of the older ones.
            for code, study in studies.items():
                first = site.newest(study)
                site.send(more[code])
                hilum.until(lambda s=study, f=first: site.newest(s).id != f.id, "a second run")
                site.arrived(study, 6)
                step = f"1.2.3.{len(code)}.2"
                hospital.worklist.schedule(step, study, code)
                hilum.until(lambda s=step: hospital.worklist.state(s) == COMPLETED, "the step")
                site.agree(study, step)
                says_superseded(site, study, first)

        # 3. All of them are away again while both are taken back.
        for study in studies.values():
            done, said = ask(
                hilum.records,
                hilum.site.data,
                RequestAction.WITHDRAW,
                site.newest(study).id,
                "of another structure",
            )
            assert done, said
        for study in studies.values():
            site.all_owed(study, 3)
        with hospital.open():
            for code, study in studies.items():
                site.arrived(study, 9)
                says_withdrawn(site, study, f"1.2.3.{len(code)}.2")
    nothing_was_repeated(site, list(studies.values()))


def says_superseded(site: Site, study_uid: str, first: Workitem) -> None:
    hospital = site.hospital
    older, newer = hospital.reports_in_archive(study_uid)
    [document] = newer.PredecessorDocumentsSequence
    named = document.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID
    assert named == older.SOPInstanceUID
    said, _ = hospital.numbers_in_record(study_uid)
    assert "preliminary" in said and said <= {"preliminary", "entered-in-error"}
    before, after = hospital.messages(study_uid)
    assert order(before) == order(after) and statuses(after) == {"P"}
    table = site.exported(study_uid)
    assert set(table[table["workitem"] == first.id]["superseded"]) == {True}


def says_withdrawn(site: Site, study_uid: str, step: str) -> None:
    """A step that is COMPLETED stays so (PS3.4 CC.1.1): the worklist cannot be told."""
    hospital = site.hospital
    reports = {str(ds.SOPInstanceUID) for ds in hospital.reports_in_archive(study_uid)}
    assert reports & hospital.notes_in_archive(study_uid)
    assert hospital.numbers_in_record(study_uid)[0] == {"entered-in-error"}
    *_, before, last = hospital.messages(study_uid)
    assert order(last) == order(before) and statuses(last) == {"W", "P"}
    newest = site.newest(study_uid)
    table = site.exported(study_uid)
    assert set(table[table["workitem"] == newest.id]["state"]) == {"withdrawn"}
    assert hospital.worklist.state(step) == COMPLETED


def nothing_was_repeated(site: Site, studies: list[str]) -> None:
    """But what HL7 cannot prove: of what got no answer, the same bytes came once more."""
    hospital = site.hospital
    assert set(hospital.record.bodies.values()) == {1}
    messages = Counter(hospital.reports.came)
    assert sorted(messages.values()) == [*[1] * (len(messages) - 1), 2]
    assert messages[hospital.reports.came[0]] == 2, "the first got no answer"
    assert len(hospital.worklist.claims) == 2 * len(studies)
    assert hospital.worklist.refused == []
    deliveries = [one for study in studies for one in site.deliveries(study)]
    again = [
        one.destination
        for one in deliveries
        for receipt in site.hilum.records.receipts.of(one).values()
        if receipt.times > 1
    ]
    assert again == ["ris"], "it is on record that this was sent twice"
