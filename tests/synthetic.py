"""Synthetic DICOM files and a receiver in a real process, for the tests of the network edges."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage, generate_uid

from hilum.config.receiver import Receiver
from hilum.processes.hints import Hint, HintReceiver
from hilum.processes.process import fork_server
from hilum.service.receiver import receive
from hilum.service.roles import PROCESSES
from hilum_lab.network.processes import available_port, listens
from tests.patience import PATIENCE, until

H = TypeVar("H")
DCMTK = {**os.environ, "TCP_NODELAY": "1"}  # its tools use Nagle's algorithm unless told
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


def wait_for_port(port: int) -> None:
    until(lambda: listens(port), f"somebody who listens on port {port}")


@dataclass
class Running:
    """A receiver that runs in a child process."""

    settings: Receiver
    data: Path
    process: Any
    output: Path  # what it printed
    events: list[Hint] = field(default_factory=list)

    @property
    def port(self) -> int:
        return self.settings.port

    @property
    def called(self) -> tuple[str, str, int]:
        return self.settings.ae_title, "127.0.0.1", self.port

    @property
    def log(self) -> str:
        """What stands in its log."""
        return (self.data / "logs" / "hilum.log").read_text()

    def received(self) -> list[Path]:
        return sorted((self.data / "incoming").rglob("*"))

    def images(self) -> list[Path]:
        return [path for path in self.received() if path.suffix == ".dcm"]

    def quarantined(self) -> list[Path]:
        return sorted((self.data / "quarantine").glob("*.dcm"))

    def partial(self) -> list[Path]:
        return list((self.data / "partial").iterdir())

    def wait_for(self, kind: type[H], count: int = 1) -> list[H]:
        """The hints of a `kind`, once there are `count`."""

        def found() -> list[H]:
            hints = [hint for hint in self.events if isinstance(hint, kind)]
            return hints if len(hints) >= count else []

        return until(found, lambda: f"{count} hints {kind.__name__} in {self.events}")

    def listen(self, hints: HintReceiver, done: threading.Event) -> None:
        while not done.is_set():
            self.events += hints.receive(0.1)

    def leaks(self) -> list[str]:
        """Where the marker of the patient shows outside of the data sets."""
        names = " ".join(str(path) for path in self.data.rglob("*"))
        notes = [path.read_text() for path in (self.data / "quarantine").glob("*.txt")]
        places = {
            "log": self.log,
            "output": self.output.read_text(),
            "names": names,
            "hints": str(self.events),
        }
        places["notes"] = " ".join(notes)
        return [place for place, text in places.items() if "MARKER" in text]


def serve(settings: Receiver, data: Path, hints: Path, output: Path) -> None:
    """Receive until SIGTERM; what is printed is in the file `output`."""
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    receive(settings, data, hints)


@contextmanager
def running_receiver(
    folder: Path,
    data: Path | None = None,
    serve: Callable[[Receiver, Path, Path, Path], None] = serve,
    **settings: Any,
) -> Iterator[Running]:
    """A receiver on a free port, its inbox in `data`; stopped with SIGTERM at the end.

    Where it is to be another one than usual, `serve` makes it so in its process.
    """
    folder.mkdir(parents=True, exist_ok=True)
    receiver = Receiver(**{"port": available_port(), "low_water_mb": 0, **settings})
    hints = HintReceiver(folder / "hints")
    output = folder / "receiver.output"
    data = data or folder / "data"
    process = fork_server(PROCESSES).Process(  # as `hilum serve` starts it
        target=serve, args=(receiver, data, folder / "hints", output)
    )
    process.start()
    running = Running(receiver, data, process, output)
    done = threading.Event()
    listener = threading.Thread(target=running.listen, args=(hints, done))
    listener.start()
    try:
        wait_for_port(receiver.port)
        yield running
    finally:
        process.terminate()
        process.join(PATIENCE)
        process.kill()
        process.join()
        done.set()
        listener.join()
        hints.close()
    assert running.leaks() == []
