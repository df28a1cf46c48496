"""A study that the PACS has is fetched, analysed, sent elsewhere and taken back there, too."""

import os
import signal
from pathlib import Path

import httpx
import pytest

from factory import mr_slices, write
from hilum.asking import ask, progress_of, request
from hilum.records.models.requests import Wish
from hilum.records.states import RequestAction
from hilum.service.roles import Role
from hilum.service.supervisor import EVERY_ROLE
from hilum.transport.sender import send
from hilum_lab.network.processes import LOOPBACK, available_port
from plugin import install_moody, may_write
from tests.archives import Orthanc

from .site import LEAN, Running, running

WITHOUT_CONSOLE = tuple(role for role in EVERY_ROLE if role is not Role.CONSOLE)
IMAGES = 12


@pytest.fixture
def diary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return install_moody(tmp_path / "plugin", monkeypatch)


def kill_gateway(hilum: Running) -> None:
    pid = hilum.supervisor.processes["gateway"].pid
    assert pid
    os.kill(pid, signal.SIGKILL)


def fetch(hilum: Running, wanted: str) -> int:
    wish = Wish(archive="pacs")
    return request(hilum.records, hilum.site.data, RequestAction.FETCH, "", wanted, wish=wish)


def answer(hilum: Running, number: int) -> str:
    hilum.until(lambda: hilum.records.requests.one(number).answer, "the answer")
    return str(hilum.records.requests.one(number).answer)


def test_it_is_fetched_once_and_analysed_once_whatever_dies(tmp_path: Path, diary: Path) -> None:
    slices = mr_slices("good", "kept", IMAGES, description="exam good")
    for one in slices:
        one.AccessionNumber = "A99"
    files = write(slices, tmp_path / "exam")
    study_uid = str(slices[0].StudyInstanceUID)
    listener = available_port()
    known = {"DicomModalities": {"hilum": ["HIPPOAI", LOOPBACK, listener]}}
    with Orthanc(tmp_path / "pacs", settings=known) as pacs:
        node = {"kind": "dimse", "ae_title": pacs.ae_title, "port": pacs.dicom_port}
        folder = {"name": "elsewhere", "kind": "folder", "folder": tmp_path / "out"}
        assert not send(files, (pacs.ae_title, LOOPBACK, pacs.dicom_port)).failed
        with running(
            tmp_path,
            WITHOUT_CONSOLE,
            receiver={"port": listener, "low_water_mb": 0},
            destination=[{"name": "pacs", **node}, folder],
            rule=[{"module": "moody", "send_to": ["pacs"]}],
            host=[may_write(tmp_path / "plugin")],
        ) as hilum:
            number = fetch(hilum, "A99")
            kill_gateway(hilum)
            sent = f"pacs has sent {IMAGES} objects; the rules decide on them"
            assert answer(hilum, number) == sent
            asked = hilum.records.requests.one(number)
            assert (asked.done, asked.study_uid, asked.reason) == (True, study_uid, "")
            [item] = hilum.settled(study_uid).workitems
            assert item.state == "completed"

            again = answer(hilum, fetch(hilum, study_uid))  # with our own results among it
            assert again.endswith("objects; the rules decide on them")

            wish = Wish(destinations=("elsewhere",), images=True)
            asked_for = (RequestAction.SEND_ON, item.id, "")
            said = ask(hilum.records, hilum.site.data, *asked_for, wish=wish)
            assert said == (True, "it goes on to elsewhere")
            [item] = hilum.settled(study_uid).workitems
            places = [(one.destination, one.state) for one in item.deliveries]
            assert places == [("elsewhere", "verified"), ("pacs", "verified")]
            assert len(list((tmp_path / "out").rglob("*.dcm"))) >= IMAGES + len(LEAN["objects"])
            assert diary.read_text().splitlines() == ["good"]
            withdraw = (RequestAction.WITHDRAW, item.id, "of another structure")
            assert ask(hilum.records, hilum.site.data, *withdraw)[0]
            note = hilum.settled(study_uid, workitems=2).workitems[-1]
            assert [one.destination for one in note.deliveries] == ["elsewhere", "pacs"]
            assert answer(hilum, fetch(hilum, "B1")) == "not fetched: pacs does not have it"


def test_a_pacs_that_does_not_know_our_receiver_is_told_so(tmp_path: Path) -> None:
    """What the answer says is done: then it is fetched."""
    slices = mr_slices("good", "kept", 3)
    files = write(slices, tmp_path / "exam")
    study_uid = str(slices[0].StudyInstanceUID)
    listener = available_port()
    with Orthanc(tmp_path / "pacs") as pacs:
        httpx.put(f"{pacs.url}/modalities/asker", json=["ASKER", LOOPBACK, 1])
        node = {"kind": "dimse", "ae_title": pacs.ae_title, "port": pacs.dicom_port}
        assert not send(files, (pacs.ae_title, LOOPBACK, pacs.dicom_port)).failed
        with running(
            tmp_path,
            (Role.RECEIVER, Role.GATEWAY),
            receiver={"port": listener, "low_water_mb": 0},
            destination=[{"name": "pacs", "calling_ae_title": "ASKER", **node}],
        ) as hilum:
            refused = answer(hilum, fetch(hilum, study_uid))
            assert "register AE title HIPPOAI there" in refused
            httpx.put(f"{pacs.url}/modalities/hilum", json=["HIPPOAI", LOOPBACK, listener])
            number = fetch(hilum, study_uid)
            assert answer(hilum, number).startswith("pacs has sent 3 objects")
            told = list(progress_of(hilum.records, number))
            assert told[-1] == (True, "pacs has sent 3 objects; the rules decide on them")
