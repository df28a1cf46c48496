"""Input nobody should send. Afterwards a good study goes through as ever."""

import socket
import struct
import time
from contextlib import ExitStack
from pathlib import Path

import httpx
import pydicom
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLSLossless

from hilum.errors import DeliveryError
from hilum.transport.scu import Peer, store
from hilum_lab.chaos.ledger import inferences
from hilum_lab.chaos.network import LISTENER
from hilum_lab.chaos.registry import fault
from hilum_lab.chaos.trial import Trial
from hilum_lab.network.orthanc import ANSWER_SECONDS
from hilum_lab.network.processes import LOOPBACK

ASSOCIATE_RQ = 0x01  # PDU type (PS3.8 9.3.2)
ABSURD_LENGTH = 0xFFFFFFF0
# JPEG-LS (ITU-T T.87 C.2.2): SOI, SOF55 of 46,000 x 46,000 pixels of 8 bits, SOS.
BOMB = bytes.fromhex("ffd8 fff7000b 08 b3b0 b3b0 01 011100 ffda0008 01 0100 00 00 00") + bytes(64)


@fault("truncated file", "an image whose last third is missing")
def truncated(trial: Trial) -> None:
    study = trial.network.exams.fresh()
    path = study.files[-1]
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    try:
        [answer] = store([path], _listener(trial))
        trial.require(answer.status != 0, "a truncated image was answered with success")
    except DeliveryError:
        pass  # cut off: nothing was accepted
    trial.send()
    trial.lifted()


@fault(
    "codestream bomb",
    "an image of a hundred bytes that decodes to two gigabytes: a refusal, the next is analysed",
)
def codestream_bomb(trial: Trial) -> None:
    bomb = trial.study(refusal=True, state="completed")
    path = next(file for file in bomb.files if bomb.uid_of[file] in bomb.target)
    dataset = pydicom.dcmread(path)
    dataset.file_meta.TransferSyntaxUID = JPEGLSLossless
    dataset.PixelData = encapsulate([BOMB])
    dataset["PixelData"].VR = "OB"
    dataset.save_as(path)
    good = trial.study(state="completed")
    trial.send(bomb, good)
    trial.lifted()


@fault("absurd PDU length", "a connection that announces a PDU of four gigabytes and sends on")
def absurd_length(trial: Trial) -> None:
    with socket.create_connection((LOOPBACK, trial.hilum.site.receiver.port)) as connection:
        try:
            connection.sendall(struct.pack(">BBI", ASSOCIATE_RQ, 0, ABSURD_LENGTH))
            for _ in range(64):
                connection.sendall(bytes(1 << 20))
        except OSError:
            pass  # cut off, as it should be
    trial.send()
    trial.lifted()


@fault("200 idle connections", "200 connections that never say a word, while a study comes")
def idle_connections(trial: Trial) -> None:
    with ExitStack() as stack:
        for _ in range(200):
            address = (LOOPBACK, trial.hilum.site.receiver.port)
            stack.enter_context(socket.create_connection(address, timeout=5))
        trial.send()
        time.sleep(2)
    trial.lifted()


@fault("own results come back", "the PACS sends Hilum's results back to its listener")
def own_results(trial: Trial) -> None:
    study = trial.send()
    trial.until(lambda: trial.is_done(study), "result")
    folder = trial.network.folder / "returned"
    answers = list(store(_results(trial, study.uid, folder), _listener(trial)))
    trial.require(answers, "the PACS holds no results to send back")
    time.sleep(5)
    trial.require(inferences(trial.hilum, study) == 1, "a result was taken for an image")
    trial.send()
    trial.lifted()


def _results(trial: Trial, study_uid: str, folder: Path) -> list[Path]:
    """Every instance that the PACS holds of a study and no scanner sent."""
    folder.mkdir(exist_ok=True)
    pacs = trial.network.pacs.url
    query = {"Level": "Instance", "Query": {"StudyInstanceUID": study_uid}, "Expand": True}
    sent = {uid for expected in trial.expected for uid in expected.study.uid_of.values()}
    files = []
    for held in httpx.post(f"{pacs}/tools/find", json=query, timeout=ANSWER_SECONDS).json():
        if held["MainDicomTags"]["SOPInstanceUID"] not in sent:
            path = folder / f"{held['ID']}.dcm"
            url = f"{pacs}/instances/{held['ID']}/file"
            path.write_bytes(httpx.get(url, timeout=ANSWER_SECONDS).content)
            files.append(path)
    return files


def _listener(trial: Trial) -> Peer:
    return Peer(LISTENER, LOOPBACK, trial.hilum.site.receiver.port, "SCANNER")
