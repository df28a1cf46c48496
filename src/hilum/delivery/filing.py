"""Whether an archive files a result under the same patient as the images it was made from.

The archive is asked at the level of the study, because a query for images must not have the keys of
a patient (PS3.4 C.4.1.2.1). One that holds the images is compared with itself: the result must
stand in the same study as they do. One that does not is compared with what is stated here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from pydicom.dataset import Dataset

from hilum.answers import Filed
from hilum.dicom.header import text_of
from hilum.dicom.identity import Patient
from hilum.dicom.uids import derived_uid
from hilum.wording import counted

LOOK_THERE = "correct it in the archive, then `hilum release` asks once more"
ALSO = ("PatientSex", "AccessionNumber")  # compared as they are


@dataclass(frozen=True)
class FilingJudgement:
    """What follows from how an archive files a study; texts hold no patient data.

    `number` stands for the patient under whom it is filed, "" where that is not known.
    `correct` is the patient that the images have there, if it is clear which one that is.
    """

    misfiled: str = ""  # why, or "" if it is not
    caution: str = ""  # what else differs, or ""
    number: str = ""
    correct: Dataset | None = None


def judge(filed: Sequence[Filed], ours: Dataset, images: frozenset[str]) -> FilingJudgement:
    """Compare how a study is filed with a result of ours, and with its images.

    Parameters
    ----------
    filed
        What the archive said about the study, for every patient that it has it under.
    ours
        The header of a result.
    images
        Series Instance UIDs of the images of the study.
    """
    if not filed:
        return FilingJudgement(caution="it does not say under which patient it files the study")
    holders = [one for one in filed if one.series & images]
    of_result = _of_result(filed, text_of(ours, "SeriesInstanceUID"), not holders)
    if apart := _apart([*holders, *(of_result or filed)]):
        text = f"the study is there under {counted(len(filed), 'patient')}, {_named(apart)}"
        return FilingJudgement(text, correct=_only_other(holders or filed, Patient.of(ours)))
    stated = (of_result or holders or filed)[0].stated
    return _under_one_patient(stated, ours, bool(holders), bool(of_result))


def _only_other(filed: Iterable[Filed], here: Patient) -> Dataset | None:
    """The patient of `filed` who is not the one `here`, if there is only one."""
    others = [one.stated for one in filed if Patient.of(one.stated).filed_apart(here)]
    return others[0] if len(others) == 1 else None


def _of_result(filed: Sequence[Filed], series: str, alone: bool) -> list[Filed]:
    """Those with our result; if its series is not said and it is `alone`, the only one there is."""
    found = [one for one in filed if series in one.series]
    return list(filed) if alone and not found and len(filed) == 1 else found


def _under_one_patient(
    stated: Dataset, ours: Dataset, has_images: bool, has_result: bool
) -> FilingJudgement:
    """Compare the one patient that is `stated` there with `ours`; it may have both or neither."""
    there, here = Patient.of(stated), Patient.of(ours)
    number = derived_uid("filed", there.id, text_of(ours, "StudyInstanceUID"))
    differs = there.filed_apart(here)
    if differs and not (has_images and has_result):
        whose, correct = ("its images are", stated) if has_images else ("it is", None)
        text = f"{whose} filed under another patient, {_named(differs)}"
        return FilingJudgement(text, number=number, correct=correct)
    caution = [*differs, *_other_differences(there, here, stated, ours)]
    if not caution:
        return FilingJudgement(number=number)
    whose = "the images there, which differ from those here" if differs else "data that differ"
    return FilingJudgement(caution=f"it is filed with {whose}: {', '.join(caution)}", number=number)


def _apart(filed: Iterable[Filed]) -> set[str]:
    """What says that these are different patients, by keyword."""
    patients = [Patient.of(one.stated) for one in filed]
    return {keyword for a, b in combinations(patients, 2) for keyword in a.filed_apart(b)}


def _named(keywords: Iterable[str]) -> str:
    names = sorted(keywords, reverse=True)
    return f"whose {' and '.join(names)} {'differs' if len(names) == 1 else 'differ'}"


def _other_differences(there: Patient, here: Patient, stated: Dataset, ours: Dataset) -> list[str]:
    differ = ["PatientName"] if there.name_differs(here) else []
    differ += ["PatientBirthDate"] if there.birth_date_differs(here) else []
    for keyword in ALSO:
        one, other = text_of(stated, keyword), text_of(ours, keyword)
        if one and other and one != other:
            differ.append(keyword)
    return differ
