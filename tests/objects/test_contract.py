"""One contract for every kind of result object, ours by the same function as anybody's."""

from collections.abc import Sequence
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.dataset import Dataset

from hilum.dicom import codes
from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.dicom.uids import derived_uid
from hilum.findings import OwnObject, ParametricMap
from hilum.kinds import OBJECTS
from hilum.objects.kinds import Writing
from hilum.results import DICOM
from hilum.testing import analysis_of, check_object, write_series

from . import exams, films

NUMBERS = count()


@pytest.mark.parametrize("kind", OBJECTS.names)
def test_ours(kind: str, tmp_path: Path) -> None:
    head, chest = tmp_path / "head", tmp_path / "chest"
    for folder in (head, chest):
        folder.mkdir()
    brain = exams.write_exam(head, shape=(6, 12, 12))
    analyses = (exams.analysis_of(brain, brain.series[0]), films.one_film(chest))
    files = write_series(tmp_path / "own")
    own = OwnObject(np.frombuffer(files[0].read_bytes(), np.uint8))
    volume = Series.of([Instance.read(path) for path in files]).volume()
    given = ParametricMap(volume, codes.VOLUME, codes.MILLILITRE, "Map")
    further = (analysis_of(files, own), analysis_of(files, given))
    check_object(OBJECTS.load(kind), (*analyses, *further))


class Plain:
    """Keeps every promise; the others break one each."""

    media_type = "text/plain"
    refers_to: tuple[str, ...] = ()

    def write(self, writing: Writing) -> Sequence[Any]:
        return [writing.analysis.workitem_id.encode()]


class Restless(Plain):
    def write(self, writing: Writing) -> list[bytes]:
        return [str(next(NUMBERS)).encode()]


class Empty(Plain):
    def write(self, writing: Writing) -> list[bytes]:
        return [b""]


class Silent(Plain):
    def write(self, writing: Writing) -> list[bytes]:
        return []


class NoDataset(Plain):
    media_type = DICOM


class Forgetful(Plain):
    def write_withdrawal(self, writing: object, identities: object, reason: str) -> bytes:
        return reason.encode()


class Report(Plain):
    """The measurement report, changed."""

    media_type = DICOM

    def write(self, writing: Writing) -> list[Dataset]:
        [dataset] = OBJECTS.load("sr")().write(writing)
        self.change(dataset)
        return [dataset]

    def change(self, dataset: Dataset) -> None:
        """Nothing."""


class OfAnotherStudy(Report):
    def change(self, dataset: Dataset) -> None:
        dataset.StudyInstanceUID = "1.2"


class OfAnotherPatient(Report):
    def change(self, dataset: Dataset) -> None:
        dataset.PatientID = "somebody"


class AlwaysTheSameUid(Report):
    def change(self, dataset: Dataset) -> None:
        dataset.SOPInstanceUID = derived_uid("always")


class TwoOfOneUid(Report):
    def write(self, writing: Writing) -> list[Dataset]:
        return [*super().write(writing), *super().write(writing)]


class Invalid(Report):
    def change(self, dataset: Dataset) -> None:
        dataset.StudyDate = "yesterday"


class Dangling(Plain):
    refers_to = ("seg",)

    def write(self, writing: Writing) -> list[bytes]:
        return [str(len(writing.written["seg"])).encode()]


@pytest.mark.parametrize("kind", [Plain, Report])
def test_what_keeps_all_promises_passes(kind: type[Plain]) -> None:
    check_object(kind)


BROKEN = {
    Restless: "the same bytes",
    Empty: "not empty",
    Silent: "something of at least one",
    NoDataset: "data sets exactly if",
    Forgetful: "names what it takes back",
    OfAnotherStudy: "the analysed study",
    OfAnotherPatient: "whose it is|PatientID is that",
    AlwaysTheSameUid: "other UIDs",
    TwoOfOneUid: "of its own",
    Invalid: "StudyDate",
}


@pytest.mark.filterwarnings("ignore:Invalid value")
@pytest.mark.parametrize("kind", BROKEN, ids=lambda kind: kind.__name__)
def test_a_broken_promise_is_named(kind: type[Plain]) -> None:
    with pytest.raises(AssertionError, match=BROKEN[kind]):
        check_object(kind)


def test_what_only_works_beside_another_object_is_found() -> None:
    with pytest.raises(KeyError, match="seg"):
        check_object(Dangling)
