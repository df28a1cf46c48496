"""Studies that nobody has seen before: copies of real ones under fresh UIDs."""

import itertools
import os
import time
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.dataset import Dataset

from hilum.dicom.instance import Instance
from hilum.dicom.uids import derived_uid
from hilum.transport import sender

TARGET = "HippoCrop"  # SeriesDescription of the series that is to be analysed
LATE = 6  # images that come late or never, where some do
RENEWED = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID")


@dataclass
class SentStudy:
    """One study on the scanner's disk, and which of its images somebody accepted."""

    uid: str
    files: list[Path]
    target: set[str]  # SOP Instance UIDs of the series that is to be analysed
    uid_of: dict[Path, str]
    accepted: set[str] = field(default_factory=set)  # SOP Instance UIDs answered with success

    @property
    def most(self) -> int:
        """How many files, from the first, hold all but the end of the target: still analysable."""
        return len(self.files) - LATE

    @property
    def analysable(self) -> set[str]:
        """Accepted images that a result has to name."""
        return self.target & self.accepted


class Exams:
    """Makes fresh copies of the studies in `templates`, turn by turn, below `folder`.

    Parameters
    ----------
    whole
        Copy every series; else only the target and the smallest other one, which is quicker.
    """

    def __init__(self, templates: list[Path], folder: Path, whole: bool) -> None:
        self._templates = [_template(path, whole) for path in templates]
        self._folder = folder
        self._turn = itertools.count()

    def fresh(self, mood: str = "") -> SentStudy:
        """A copy of the next template; its target series comes last and in order.

        `mood` is added to the Series Description of the target, for `moody.py`.
        """
        turn = next(self._turn)
        headers = self._templates[turn % len(self._templates)]
        salt = f"{os.getpid()}.{time.time_ns()}.{turn}"
        folder = self._folder / f"{turn:04}"
        folder.mkdir(parents=True)
        uid_of = {}
        target = set()
        for number, source in enumerate(headers):
            dataset = pydicom.dcmread(source)
            _renew(dataset, salt)
            path = folder / f"{number:04}.dcm"
            uid_of[path] = str(dataset.SOPInstanceUID)
            if dataset.get("SeriesDescription") == TARGET:
                target.add(uid_of[path])
                dataset.SeriesDescription = f"{TARGET} {mood}".strip()
            dataset.save_as(path)
        return SentStudy(str(dataset.StudyInstanceUID), list(uid_of), target, uid_of)


def _template(folder: Path, whole: bool) -> list[Path]:
    series: dict[str, list[Instance]] = defaultdict(list)
    for path in sender.dicom_files(folder):
        instance = Instance.read(path)
        series[instance.series_uid].append(instance)
    ordered = sorted(series.values(), key=len)
    target = next(s for s in ordered if s[0].header.get("SeriesDescription") == TARGET)
    others = [s for s in ordered if s is not target]
    target.sort(key=lambda instance: int(instance.header.get("InstanceNumber") or 0))
    return [i.path for several in (*(others if whole else others[:1]), target) for i in several]


def _renew(dataset: Dataset, salt: str) -> None:
    """Give `dataset` UIDs of its own; the same salt keeps what belongs together together."""
    for keyword in RENEWED:
        if keyword in dataset:
            setattr(dataset, keyword, derived_uid(salt, str(dataset[keyword].value)))
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
