"""Each cause is prepared in a running network, told rightly, and ends by the cure that is told."""

import json
import shlex
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import SegmentationStorage
from typer.testing import CliRunner

from factory import mr_slices, write
from hilum.cli import app
from hilum.cli.app import out
from hilum.dicom.uids import derived_uid
from hilum.records.views import study
from hilum.transport import sender
from hilum_lab.archives.behaviour import AE_TITLE, DimseBehaviour
from hilum_lab.archives.dimse import WELL, DimseArchive
from hilum_lab.network.processes import available_port
from plugin import install_moody
from tests.archives import Orthanc
from tests.patience import PATIENCE

from .site import Running, running

GONE_SOON = {"days": 0.00001}


@dataclass
class Network:
    """A Hilum, its PACS, and an archive that behaves as a test wants it."""

    folder: Path
    hilum: Running
    pacs: Orthanc
    other: DimseArchive
    module: Path  # where its file `mended` lies, once it raises no more

    def send(self, *images: Dataset) -> None:
        self.hilum.send(write(list(images), self.folder / images[0].StudyInstanceUID))

    def why(self, accession: str, *options: str) -> dict[str, Any]:
        """What the command says, as JSON; its exit status is checked, too."""
        done = self._typed("why", accession, "--json", *options)
        said: dict[str, Any] = json.loads(done.stdout)
        assert done.exit_code == (0 if said["cause"] == "shown" else 1)
        return said

    def until(self, accession: str, cause: str, workitem: str = "") -> dict[str, Any]:
        """What it says as soon as it tells this cause."""
        said: dict[str, Any] = {}

        def tells() -> bool:
            said.update(self.why(workitem or accession, "--records-only"))
            return bool(said["cause"] == cause)

        self.hilum.until(tells, f"{cause}, not {said.get('cause')}", pause=0.5)
        return said

    def cure(self, said: dict[str, Any], place: int = 0) -> str:
        """Type the command that was told as the cure."""
        return self.type(said["cures"][place]["command"])

    def type(self, command: str) -> str:
        done = self._typed(*shlex.split(command)[1:])
        assert done.exit_code == 0, done.output
        return done.output

    def _typed(self, *words: str) -> Any:
        config = str(self.folder / "hilum.toml")
        arguments = [*words, "--config", config]
        return CliRunner().invoke(app, arguments, env={"COLUMNS": "999"})


def rule(pattern: str, **values: object) -> dict[str, object]:
    patient = {"give_up_seconds": 4, "study_quiet_seconds": 3}
    return {
        "module": "moody",
        "series": {"SeriesDescription": pattern},
        "send_to": ["pacs"],
        **patient,
        **values,
    }


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder = tmp_path_factory.mktemp("why")
    other = DimseArchive(available_port())
    other.open()
    listener = available_port()
    modality = {"hilum": {"AET": "HIPPOAI", "Host": "127.0.0.1", "Port": listener}}
    with (
        pytest.MonkeyPatch.context() as patch,
        Orthanc(folder / "pacs", settings={"DicomModalities": modality}) as pacs,
    ):
        patch.setattr(out, "width", 300)
        diary = install_moody(folder / "plugin", patch)
        ends: list[dict[str, object]] = [
            {"name": "pacs", "kind": "dimse", "port": pacs.dicom_port},
            {"name": "other", "kind": "dimse", "port": other.port, "ae_title": AE_TITLE},
            {"name": "away", "kind": "dimse", "port": available_port()},
        ]
        ends[1]["proof_seconds"] = 0.5
        rules = [
            rule("^exam"),
            rule("^slow", give_up_seconds=600),
            rule("^other", send_to=["other"]),
            rule("^away", send_to=["away"]),
            rule("^nowhere", send_to=[]),
        ]
        allowed = ["SCANNER", "ORTHANC"]
        settings = {"port": listener, "low_water_mb": 0, "allowed_callers": allowed}
        with running(folder, receiver=settings, destination=ends, rule=rules) as hilum:
            (folder / "hilum.toml").write_text(as_toml(hilum))
            yield Network(folder, hilum, pacs, other, diary.parent)
    other.close()


def as_toml(hilum: Running) -> str:
    """Those settings that the command needs; JSON is TOML where it has no objects in it."""
    site = hilum.site
    lines = [f'data = "{site.data}"', f"receiver.port = {site.receiver.port}"]
    for end in site.destination:
        lines.append("[[destination]]")
        values = end.model_dump(mode="json", exclude_unset=True)
        lines += [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    for one in site.rule:
        series = ", ".join(f"{key} = {json.dumps(v)}" for key, v in one.series.items())
        lines += ["[[rule]]", f'module = "{one.module}"', f"series = {{ {series} }}"]
        lines += [f"send_to = {json.dumps(one.send_to)}"]
        lines += [f"give_up_seconds = {one.give_up_seconds}"]
        lines += [f"study_quiet_seconds = {one.study_quiet_seconds}"]
        lines += [f"quiet_seconds = {one.quiet_seconds}"]
    return "\n".join([*lines, ""])


def exam(name: str, description: str = "exam good", count: int = 4) -> list[Dataset]:
    """A study whose accession number is its name."""
    images = mr_slices(name, name, count, description=description)
    for image in images:
        image.AccessionNumber, image.PatientID = name, f"Marker-{name}"
    return images


# Until images are here ----------------------------------------------------------------------------


def test_never_arrived_and_an_archive_has_it(network: Network) -> None:
    """A sender was refused meanwhile; the archive has it, and sends it as the cure says."""
    port = str(network.hilum.site.receiver.port)
    echo = ["echoscu", "-aet", "BADAE", "-aec", "HIPPOAI", "127.0.0.1", port]
    assert subprocess.run(echo, capture_output=True, timeout=PATIENCE).returncode != 0
    network.hilum.until(network.hilum.records.rejections.since, "the rejection on record")
    files = write(exam("A-THERE"), network.folder / "there")
    listener = (network.pacs.ae_title, "127.0.0.1", network.pacs.dicom_port)
    assert not sender.send(files, listener).failed
    said = network.why("A-THERE")
    assert said["cause"] == "never arrived"
    assert said["sentence"].startswith("Nothing of it has arrived here, but pacs has it; refused ")
    assert "BADAE (127.0.0.1); a refused association names no patient" in said["sentence"]
    to_send = f"have pacs send it to HIPPOAI, port {port}"
    texts = [cure["text"] for cure in said["cures"]]
    assert texts[:2] == ["fetch it from pacs", to_send]
    assert "correct the sender, or add it" in texts[2]
    answers = {one["archive"]: one["holding"] for one in said["archives"]}
    assert answers == {"pacs": "has it", "other": "does not have it", "away": "cannot be asked"}
    assert "pacs has sent 4 objects" in network.cure(said)
    network.until("A-THERE", "shown")
    (study_of,) = httpx.get(f"{network.pacs.url}/studies").json()
    sent = httpx.post(f"{network.pacs.url}/modalities/hilum/store", content=study_of)
    assert sent.is_success
    network.until("A-THERE", "shown")
    assert network.why("Marker-A-THERE")["cause"] == "shown"


def test_images_that_were_not_taken_in(network: Network) -> None:
    """The sender mixes two objects up; the right one comes as the cure says."""
    images = exam("A-BAD")
    files = write(images, network.folder / "bad")
    wrong = dcmread(files[2])
    wrong.SOPInstanceUID = derived_uid("another")  # the file meta group keeps the first one
    wrong.save_as(files[2], enforce_file_format=False)
    assert len(sender.send(files, network.hilum.listener).failed) == 1
    said = network.until("A-BAD", "image not taken in")
    text = "1 image of the study was not taken in: the request and the data set name different"
    assert said["sentence"].startswith(text)
    assert said["cures"][0]["text"].startswith("correct the sender, which mixes objects up, and")
    assert "correct the sender" in network.cure(said)
    network.hilum.settled(images[0].StudyInstanceUID, workitems=5)
    network.send(images[2])
    network.until("A-BAD", "shown")


def test_more_images_are_waited_for(network: Network) -> None:
    images = exam("A-SLOW", "slow good")
    for image in images:
        image.NumberOfSeriesRelatedInstances = 4
    network.send(*images[:3])
    said = network.until("A-SLOW", "waiting for images")
    network.hilum.until(
        lambda: "3 of 4 images" in network.why("A-SLOW", "--records-only")["sentence"], "the number"
    )
    said = network.why("A-SLOW", "--records-only")
    assert said["sentence"].startswith(
        "More images are waited for: 3 of 4 images the series is to have, silent for "
    )
    assert said["sentence"].endswith(" of 600 s.")
    network.send(images[3])
    network.until("A-SLOW", "shown")


# Held ---------------------------------------------------------------------------------------------


def test_slices_are_missing(network: Network) -> None:
    images = exam("A-GAP")
    network.send(*images[:1], *images[2:])
    said = network.until("A-GAP", "slices missing")
    assert said["sentence"].startswith("The study is held, for moody: ")
    assert "1 slice missing" in said["sentence"]
    network.send(images[1])
    network.until("A-GAP", "shown")


def test_fewer_images_than_announced(network: Network) -> None:
    images = exam("A-SHORT", count=6)
    for image in images:
        image.NumberOfSeriesRelatedInstances = 6
    network.send(*images[:5])
    said = network.until("A-SHORT", "shorter than announced")
    assert "5 of 6 images the series is to have" in said["sentence"]
    network.send(images[5])
    network.until("A-SHORT", "shown")


def test_two_patients(network: Network) -> None:
    images = exam("A-WHOSE")
    for image in images[2:]:
        image.PatientID = "Marker-OTHER"
    network.send(*images)
    said = network.until("A-WHOSE", "whose it is")
    text = "The study is held, for moody: not all images name the same patient (PatientID)."
    assert said["sentence"] == text
    shown = network.cure(said)
    (number,) = (line.split()[0] for line in shown.splitlines() if "Marker-A-WHOSE" in line)
    network.type(f"{said['cures'][0]['command']} --patient {number}")
    network.until("A-WHOSE", "shown")


# Nothing to analyse -------------------------------------------------------------------------------


def test_no_rule_and_the_nearest(network: Network) -> None:
    """The cure, a corrected rule, is applied in test_requests.py."""
    network.send(*exam("A-NONE", "an exam"))
    said = network.until("A-NONE", "no rule")
    network.hilum.settled(exam("A-NONE")[0].StudyInstanceUID, workitems=5)
    said = network.why("A-NONE")
    near = "No rule takes the study; the nearest is that of moody: an exam: SeriesDescription is"
    assert said["sentence"].startswith(f"{near} 'an exam', the rule asks for ")
    assert said["cures"][0]["command"].startswith("hilum retry ")


def test_not_applicable(network: Network) -> None:
    images = exam("A-UNEVEN")
    for image, place in zip(images, (0, 1, 2.37, 3.1), strict=True):
        image.ImagePositionPatient = [0, 0, place]
    network.send(*images)
    said = network.until("A-UNEVEN", "not applicable")
    words = "Nothing in the study fits moody: exam good: forms no volume"
    assert said["sentence"].startswith(words)


# Analyses -----------------------------------------------------------------------------------------


def test_a_module_that_fails(network: Network) -> None:
    network.send(*exam("A-FAIL", "exam raises"))
    said = network.until("A-FAIL", "failed")
    assert said["sentence"].startswith("The analysis by moody failed: ")
    network.hilum.settled(exam("A-FAIL")[0].StudyInstanceUID, workitems=5)
    said = network.why("A-FAIL")
    assert said["evidence"][0].startswith("The refusal of moody is shown in pacs")
    (network.module / "mended").touch()  # the cause is removed
    network.cure(said)
    network.until("A-FAIL", "shown")


def test_running_waiting_for_a_worker_and_cancelled(network: Network) -> None:
    network.send(*exam("A-HANG", "exam hangs"))
    said = network.until("A-HANG", "running")
    assert said["sentence"] == "The analysis by moody is running."
    network.send(*exam("A-NEXT"))
    waiting = network.until("A-NEXT", "waiting to be analysed")
    assert waiting["sentence"] == "The analysis by moody waits for a worker."
    network.type(f"hilum cancel {waiting['workitem'][-8:]}")
    cancelled = network.until("A-NEXT", "cancelled")
    network.type(f"hilum cancel {said['workitem'][-8:]}")
    network.until("A-HANG", "cancelled")
    network.cure(cancelled)
    network.until("A-NEXT", "shown")


def test_replaced_and_then_taken_back(network: Network) -> None:
    images = exam("A-MORE", count=5)
    network.send(*images[:4])
    first = network.until("A-MORE", "shown")["workitem"]
    network.send(images[4])
    network.hilum.until(
        lambda: network.why("A-MORE", "--records-only")["workitem"] != first, "the second run"
    )
    second = network.until("A-MORE", "shown")["workitem"]
    said = network.why(first, "--records-only")
    assert said["cause"] == "superseded"
    assert said["sentence"].startswith(f"The run {first[-8:]} of moody, made ")
    assert f" was replaced by the run {second[-8:]}, made " in said["sentence"]
    network.type(f"hilum withdraw {second[-8:]} --reason wrong")
    said = network.until("A-MORE", "withdrawn")
    assert said["sentence"] == "The result of moody was taken back; the note in pacs says why."


# Results ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "behaviour", "cause", "words"),
    [
        (
            "A-PARK",
            DimseBehaviour(statuses={SegmentationStorage: 0xC000}),
            "parked",
            "The result of moody is parked: other: ",
        ),
        (
            "A-HIDE",
            DimseBehaviour(keeps=False),
            "not shown",
            "The result of moody is not shown: other: accepted, ",
        ),
    ],
)
def test_a_destination_that_does_not_take_it_or_does_not_show_it(
    network: Network, name: str, behaviour: DimseBehaviour, cause: str, words: str
) -> None:
    network.other.behaviour = behaviour
    network.send(*exam(name, "other good"))
    said = network.until(name, cause)
    assert said["sentence"].startswith(words)
    network.other.behaviour = WELL  # the cause is removed
    network.cure(said)
    said = network.until(name, "shown")
    assert said["sentence"].startswith("All is well: the result of moody is shown in other (since ")


def test_misfiled(network: Network) -> None:
    network.other.behaviour = DimseBehaviour(coerces=frozenset({"PatientID"}))
    network.send(*exam("A-MISFILED", "other good"))
    said = network.until("A-MISFILED", "misfiled")
    network.other.behaviour = WELL
    words = "The result of moody is filed under another patient: other: "
    assert said["sentence"].startswith(words)
    for header in network.other.holds.values():  # corrected there
        if header.StudyInstanceUID == said["study_uid"]:
            header.PatientID = "Marker-A-MISFILED"
    network.cure(said)
    network.until("A-MISFILED", "shown")


def test_on_its_way_and_sent_nowhere(network: Network) -> None:
    network.send(*exam("A-AWAY", "away good"))
    network.hilum.until(
        lambda: (
            "away has not answered since" in network.why("A-AWAY", "--records-only")["sentence"]
        ),
        "the call that fails",
    )
    said = network.why("A-AWAY", "--records-only")
    assert (said["cause"], said["cures"][0]["command"]) == ("on its way", "hilum destinations")
    network.send(*exam("A-NOWHERE", "nowhere good"))
    assert "no destination is to have it" in network.until("A-NOWHERE", "sent nowhere")["sentence"]


def test_an_archive_has_lost_the_result(network: Network) -> None:
    """As when an older state of it is restored."""
    network.send(*exam("A-LOST"))
    shown = network.until("A-LOST", "shown")
    assert network.why("A-LOST")["cause"] == "shown"
    query = {"Level": "Study", "Query": {"StudyInstanceUID": shown["study_uid"]}}
    (there,) = httpx.post(f"{network.pacs.url}/tools/find", json=query).json()
    assert httpx.delete(f"{network.pacs.url}/studies/{there}").is_success
    said = network.why("A-LOST")
    assert said["cause"] == "no longer shown"
    network.cure(said)

    def has_it_again() -> bool:
        return bool(network.why("A-LOST")["cause"] == "shown")

    network.hilum.until(has_it_again, "the result in the archive")


def test_nothing_of_a_patient_is_logged(network: Network) -> None:
    """After all that was asked above."""
    logs = [path.read_text() for path in (network.hilum.site.data / "logs").iterdir()]
    assert logs
    assert not [text for text in logs if "Marker" in text or "A-THERE" in text]


# Conditions on the study, and retention -----------------------------------------------------------


def test_no_rule_by_its_study_and_removed_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_moody(tmp_path / "plugin", monkeypatch)
    conditions = {"StudyDescription": "^brain", "PatientSex": "O"}
    out = {"name": "pacs", "kind": "folder", "folder": tmp_path / "out"}
    values: dict[str, Any] = {"destination": [out], "rule": [rule("^exam", study=conditions)]}
    images = exam("A-KNEE")
    for image in images:
        image.StudyDescription = "Marker knee"
    uid = images[0].StudyInstanceUID
    config = tmp_path / "hilum.toml"

    def why(hilum: Running) -> dict[str, Any]:
        config.write_text(f'data = "{hilum.site.data}"\n')
        words = ["why", "A-KNEE", "--json", "--config", str(config)]
        if not hilum.records.studies.get(uid):
            return {}
        said: dict[str, Any] = json.loads(CliRunner().invoke(app, [*words]).stdout)
        return said

    def once(hilum: Running, condition: Callable[[], Any], what: str) -> dict[str, Any]:
        hilum.until(condition, what)
        return json.loads(
            CliRunner().invoke(app, ["why", uid, "--json", "--config", str(config)]).stdout
        )  # type: ignore[no-any-return]

    with running(tmp_path, **values) as hilum:
        config.write_text(f'data = "{hilum.site.data}"\n')
        hilum.send(write(images, tmp_path / "knee"))
        early = ("waiting for images", "no rule")  # a busy machine may look too late for the first
        hilum.until(lambda: why(hilum).get("cause") in early, "the first images")
        said = once(hilum, lambda: why(hilum).get("cause") == "no rule", "the decision")
        near = "the nearest is that of moody: StudyDescription does not match, the rule asks for"
        assert said["sentence"] == f"No rule takes the study; {near} '^brain'."
    with running(tmp_path, **values, retention=GONE_SOON) as hilum:
        said = once(hilum, lambda: study(hilum.records, uid).removed, "the removal")
        assert said["cause"] == "removed"
        assert "no rule had taken the study." in said["sentence"]
        assert [cure["kind"] for cure in said["cures"]] == ["send the images"]
