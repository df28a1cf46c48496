"""How a running Hilum proves, with a real PACS, that a result has arrived, and under whom."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pydicom
import pytest

from factory import mr_slices, write
from hilum.asking import ask
from hilum.dicom.instance import Instance
from hilum.hints import Committed, HintSender, gateway_address
from hilum.records.models.deliveries import Delivery
from hilum.records.states import DeliveryState, RequestAction
from hilum.transport import sender
from hilum_lab.network.processes import available_port
from plugin import install_moody
from tests.archives import Orthanc

from .site import Running, running

PROOFS = ("query", "commitment", "accepted")


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Orthanc, Running]]:
    """One Orthanc that is a destination three times, with one proof each."""
    folder = tmp_path_factory.mktemp("proofs")
    listener = available_port()
    modality = {"hilum": {"AET": "HIPPOAI", "Host": "127.0.0.1", "Port": listener}}
    with (
        pytest.MonkeyPatch.context() as patch,
        Orthanc(folder / "pacs", settings={"DicomModalities": modality}) as pacs,
    ):
        install_moody(folder / "plugin", patch)
        dimse = {"kind": "dimse", "port": pacs.dicom_port, "ae_title": pacs.ae_title}
        with running(
            folder,
            receiver={"port": listener, "low_water_mb": 0},
            destination=[{"name": proof, "proof": proof, **dimse} for proof in PROOFS],
            rule=[
                {
                    "module": "moody",
                    "send_to": [proof],
                    "series": {"SeriesDescription": f"^{proof}$"},
                }
                for proof in PROOFS
            ],
        ) as hilum:
            yield pacs, hilum


def exam(folder: Path, description: str, study: str) -> list[Path]:
    return write(mr_slices("good", study, 3, description=description), folder / study)


def settled(hilum: Running, files: list[Path], workitems: int = 1) -> Delivery:
    view = hilum.settled(Instance.read(files[0]).study_uid, workitems)
    (item,) = [i for i in view.workitems if i.deliveries and i.state != "withdrawn"]
    (delivery,) = item.deliveries
    return delivery


@pytest.mark.parametrize(
    ("proof", "state"),
    [
        ("query", DeliveryState.VERIFIED),
        ("commitment", DeliveryState.COMMITTED),
        ("accepted", DeliveryState.ACCEPTED),
    ],
)
def test_the_state_says_what_is_proven(
    network: tuple[Orthanc, Running], tmp_path: Path, proof: str, state: DeliveryState
) -> None:
    _, hilum = network
    files = exam(tmp_path, proof, f"a study for {proof}")
    hilum.send(files)
    delivery = settled(hilum, files)
    assert delivery.state is state, delivery.reason
    receipts = hilum.records.receipts.of(delivery)
    assert {receipt.times for receipt in receipts.values()} == {1}
    assert not list((hilum.site.data / "commitments").glob("*"))


def test_a_result_under_another_patient_is_misfiled_and_made_anew(
    network: tuple[Orthanc, Running], tmp_path: Path
) -> None:
    """The PACS has the study under a Patient ID that was corrected there."""
    pacs, hilum = network
    files = exam(tmp_path, "query", "a corrected study")
    (tmp_path / "corrected").mkdir()
    corrected = []
    for file in files:
        image = pydicom.dcmread(file)
        image.PatientID = "CORRECTED"
        corrected.append(tmp_path / "corrected" / file.name)
        image.save_as(corrected[-1])
    sender.send(corrected, (pacs.ae_title, "127.0.0.1", pacs.dicom_port))
    hilum.send(files)
    delivery = settled(hilum, files)
    assert delivery.state is DeliveryState.MISFILED
    assert "2 patients" in delivery.reason
    assert "hilum decide" in delivery.reason

    study_uid = Instance.read(files[0]).study_uid
    (sent,) = hilum.records.corrections.open_ones()
    assert sent.senders == ("query (as it files them)",)  # which no sender to be followed is called
    done, answer = ask(
        hilum.records,
        hilum.site.data,
        RequestAction.DECIDE,
        delivery.workitem_id,
        reason=sent.identity,
    )
    assert done, answer
    view = hilum.settled(study_uid, 3)
    states = {(str(item.kind), str(item.state)) for item in view.workitems}
    assert states == {  # the note lies beside what it takes back
        ("run", "withdrawn"),
        ("withdrawal", "completed"),
        ("run", "completed"),
    }
    found = httpx.post(
        f"{pacs.url}/tools/find",
        json={"Level": "Study", "Query": {"StudyInstanceUID": study_uid}, "Expand": True},
    ).json()
    new = next(s for s in found if s["PatientMainDicomTags"]["PatientID"] == "CORRECTED")
    assert len(new["Series"]) > 1  # the images, and the new result


def test_an_answer_to_a_request_that_nobody_made_is_dropped(
    network: tuple[Orthanc, Running],
) -> None:
    _, hilum = network
    folder = hilum.site.data / "commitments"
    folder.mkdir(exist_ok=True)
    (folder / "2.25.1.json").write_text(
        '{"transaction_uid": "2.25.1", "committed": [], "failed": {}}'
    )
    with closing(HintSender(gateway_address(hilum.site.data))) as hints:
        hints.send(Committed())
    hilum.until(lambda: not list(folder.glob("*")), "the gateway")
