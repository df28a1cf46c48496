"""What the demonstration sends: exams from a folder, or the samples."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hilum.dicom.instance import Instance
from hilum.errors import HilumError
from hilum.hosts.discovery import installed_modules
from hilum.module import own_results_of
from hilum.offline.reading import read_folder


@dataclass(frozen=True)
class Exam:
    """What goes through the network, and its way into the PACS."""

    title: str
    files: list[Path]
    by_scanner: bool = True

    @property
    def study_uid(self) -> str:
        return Instance.read(self.files[0]).study_uid

    def has_series(self, description: str) -> bool:
        """Whether one of its series is called so."""
        headers = (Instance.read(file).header for file in self.files)
        return any(header.text("SeriesDescription") == description for header in headers)


def exams_in(folder: Path) -> Iterator[Exam]:
    """Every study below `folder`, without results of ours and without copies."""
    if not folder.exists():
        raise HilumError(f"{folder}: no such folder")
    exams = []
    own = own_results_of(installed_modules().values())
    for arrival in read_folder(folder, own=own).studies:
        images = [image for image in arrival.instances.values() if not image.is_own_result]
        exams.append([image.path for image in images])
    if not any(exams):
        raise HilumError(f"{folder} holds no DICOM images")
    for number, files in enumerate(filter(None, exams), start=1):
        yield Exam(f"exam {number}" if len(exams) > 1 else "exam", files)
