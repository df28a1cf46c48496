"""Synthetic DICOM files and a receiver in a real process, for the tests of the network edges."""

import multiprocessing
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from hilum.config import Receiver
from hilum.hints import HintReceiver
from hilum.sources import dimse

MARKER = "MARKER^NAME"  # must never be seen outside of a data set


def image(study: str, series: str, number: int = 1, size: int = 64, **values: Any) -> Dataset:
    """An MR image of noise; `values` overrides attributes by keyword."""
    header = Dataset()
    header.file_meta = FileMetaDataset()
    header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.SOPClassUID = MRImageStorage
    header.SOPInstanceUID = f"{series}.{number}"
    header.StudyInstanceUID, header.SeriesInstanceUID = study, series
    header.PatientName, header.PatientID = MARKER, "MARKER-ID"
    header.PatientBirthDate, header.PatientSex = "", ""
    header.StudyDate, header.StudyTime, header.AccessionNumber = "20260101", "120000", ""
    header.ReferringPhysicianName, header.StudyID = "", ""
    header.Modality, header.SeriesNumber, header.InstanceNumber = "MR", 1, number
    header.ImagePositionPatient, header.ImageOrientationPatient = [0, 0, number], [1, 0, 0, 0, 1, 0]
    header.PixelSpacing, header.SliceThickness = [1, 1], 1
    header.Rows = header.Columns = size
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit = 16, 12, 11
    header.PixelRepresentation = 0
    noise = np.random.default_rng(number).integers(0, 4095, (size, size), dtype=np.uint16)
    header.PixelData = noise.tobytes()
    for keyword, value in values.items():
        setattr(header, keyword, value)
    header.file_meta.MediaStorageSOPClassUID = header.SOPClassUID
    header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
    return header


def write_series(folder: Path, count: int = 3, size: int = 64, **values: Any) -> list[Path]:
    """`count` images of one new series below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    study = values.pop("StudyInstanceUID", generate_uid(prefix=None))
    series = generate_uid(prefix=None)
    files = []
    for number in range(1, count + 1):
        path = folder / f"{number:04d}.dcm"
        image(study, series, number, size, **values).save_as(path, enforce_file_format=True)
        files.append(path)
    return files


def uid(path: Path) -> str:
    return str(pydicom.dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)


def dataset_bytes(path: Path) -> bytes:
    """The encoded data set behind the file meta group."""
    content = path.read_bytes()
    return content[144 + int.from_bytes(content[140:144], "little") :]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on port {port}")


@dataclass
class Running:
    """A receiver that runs in a child process."""

    settings: Receiver
    data: Path
    process: Any
    hints: HintReceiver
    log: Path

    @property
    def port(self) -> int:
        return self.settings.port

    def received(self) -> list[Path]:
        return sorted((self.data / "incoming").rglob("*.dcm"))

    def quarantined(self) -> list[Path]:
        return sorted((self.data / "quarantine").glob("*.dcm"))

    def events(self, until: str = "", seconds: float = 5) -> list[dict[str, Any]]:
        """Hints received so far; waits until one is the event `until`."""
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + seconds
        while True:
            found += self.hints.receive(0.1)
            if not until or any(hint["event"] == until for hint in found):
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"no event {until!r} among {found}")


def _serve_with_log(settings: Receiver, data: Path, hints: Path, log: Path) -> None:
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    dimse.serve(settings, data, hints)


@contextmanager
def running_receiver(folder: Path, data: Path | None = None, **settings: Any) -> Iterator[Running]:
    """A receiver on a free port, its inbox in `data`; stopped with SIGTERM at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    data = data or folder / "data"
    values = {"port": free_port(), "low_water_mb": 0, **settings}
    hints = HintReceiver(folder / "hints")
    log = folder / "receiver.log"
    process = multiprocessing.get_context("spawn").Process(
        target=_serve_with_log, args=(Receiver(**values), data, folder / "hints", log)
    )
    process.start()
    try:
        wait_for_port(values["port"])
        hints.receive(0.2)
        yield Running(Receiver(**values), data, process, hints, log)
    finally:
        process.terminate()
        process.join(10)
        process.kill()
        process.join()
        hints.close()
