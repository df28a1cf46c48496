"""Whether an archive files a result under the same patient as its images: every case in a table."""

from typing import NamedTuple

import pytest
from pydicom.dataset import Dataset

from hilum.answers import Filed
from hilum.delivery.filing import judge
from hilum.destinations import series_under

IMAGES, RESULT, OTHER = "1.1", "1.2", "1.3"  # series


def stated(patient_id: str = "", issuer: str = "", **values: str) -> Dataset:
    dataset = Dataset()
    dataset.StudyInstanceUID = "1"
    dataset.PatientID, dataset.IssuerOfPatientID = patient_id, issuer
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    return dataset


def filed(patient: Dataset, *series: str) -> Filed:
    return Filed(patient, frozenset(series))


class Case(NamedTuple):
    filed: list[Filed]
    misfiled: str = ""  # a part of what is said, "" if it is not
    caution: str = ""
    correct: str = ""  # the Patient ID that the images have there


ALL = (IMAGES, RESULT)
CASES = {
    "the same patient": Case([filed(stated("7"), *ALL)]),
    "padded": Case([filed(stated(" 7 "), *ALL)]),
    "no study": Case([], caution="does not say"),
    "no Patient ID": Case([filed(stated(), *ALL)]),
    "an issuer that we do not state": Case([filed(stated("7", "HOSPITAL"), *ALL)]),
    "only our result": Case([filed(stated("7"), RESULT)]),
    "another ID, without the images": Case([filed(stated("8"), RESULT)], "PatientID differs"),
    "another ID, and it does not tell the series": Case([filed(stated("8"))], "PatientID differs"),
    "another ID, with the images": Case([filed(stated("8"), *ALL)], caution="PatientID"),
    "the images under another ID, and ours is not listed": Case(
        [filed(stated("8"), IMAGES)], "PatientID differs", correct="8"
    ),
    "the same ID, and ours is not listed": Case([filed(stated("7"), IMAGES)]),
    "the images under another ID": Case(
        [filed(stated("7"), RESULT), filed(stated("8"), IMAGES)],
        "2 patients, whose PatientID differs",
        correct="8",
    ),
    "the same, and it does not tell the series": Case(
        [filed(stated("7")), filed(stated("8"))], "2 patients", correct="8"
    ),
    "the images under another ID, and ours not in the list": Case(
        [filed(stated("8"), IMAGES)], "its images are filed under another", correct="8"
    ),
    "two issuers": Case(
        [filed(stated("7", "A"), RESULT), filed(stated("7", "B"), IMAGES)],
        "IssuerOfPatientID differs",
    ),
    "what is left of a former result": Case([filed(stated("6"), OTHER), filed(stated("7"), *ALL)]),
    "what is left of a former result, without the images": Case(
        [filed(stated("6"), OTHER), filed(stated("7"), RESULT)]
    ),
    "a study that is listed twice": Case([filed(stated("7"), IMAGES), filed(stated("7"), RESULT)]),
    "another sex": Case([filed(stated("7", PatientSex="M"), *ALL)], caution="PatientSex"),
    "another name": Case([filed(stated("7", PatientName="B^C"), *ALL)], caution="PatientName"),
    "the name in other letters": Case([filed(stated("7", PatientName="DOE^ANN"), *ALL)]),
    "another accession number": Case(
        [filed(stated("7", AccessionNumber="B"), *ALL)], caution="AccessionNumber"
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_how_a_study_is_filed(name: str) -> None:
    case = CASES[name]
    ours = stated("7", PatientName="Doe^Ann", PatientSex="F", AccessionNumber="A")
    ours.SeriesInstanceUID = RESULT
    found = judge(case.filed, ours, frozenset([IMAGES]))
    assert bool(found.misfiled) == bool(case.misfiled), found
    assert case.misfiled in found.misfiled
    assert bool(found.caution) == bool(case.caution), found
    assert case.caution in found.caution
    assert (found.correct.PatientID if found.correct else "") == case.correct
    for text in (found.misfiled, found.caution, found.number):
        assert "Doe" not in text
        assert "HOSPITAL" not in text


def test_archives_that_agree_give_the_same_number() -> None:
    ours = stated("7")
    ours.SeriesInstanceUID = RESULT
    one = judge([filed(stated("7", "A"), *ALL)], ours, frozenset([IMAGES]))
    other = judge([filed(stated("7 "), *ALL)], ours, frozenset([IMAGES]))
    third = judge([filed(stated("8"), *ALL)], ours, frozenset([IMAGES]))
    assert one.number == other.number != third.number


def test_two_issuers_of_one_patient_id_have_their_own_series() -> None:
    patients = [stated("7", "A"), stated("7", "B")]
    series = [
        stated("7", "A", SeriesInstanceUID=RESULT),
        stated("7", "B", SeriesInstanceUID=IMAGES),
    ]
    found = [series_under(patient, series, patients) for patient in patients]
    assert found == [{RESULT}, {IMAGES}]
