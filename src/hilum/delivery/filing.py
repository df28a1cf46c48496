"""Whether an archive files a result under the same patient as the images it was made from.

The archive is asked at the level of the study, because a query for images must not have the keys of
a patient (PS3.4 C.4.1.2.1). One that holds the images is compared with itself: the result must
stand in the same study as they do. One that does not is compared with what is stated here.
"""

from dataclasses import dataclass
from itertools import combinations

from pydicom.dataset import Dataset

from hilum.answers import Filing
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


def judge(filing: Filing, ours: Dataset, images: frozenset[str]) -> FilingJudgement:
    """Compare how a study is filed with a result of ours, and with the series of its images.

    Parameters
    ----------
    filing
        What the archive said about the study.
    ours
        The header of a result.
    images
        Series Instance UIDs of the images that the result was made from.
    """
    here = Patient.of(ours)
    there = [(Patient.of(stated), stated) for stated in filing.patients]
    differ = {keyword for (a, _), (b, _) in combinations(there, 2) for keyword in a.filed_apart(b)}
    if differ:
        others = [stated for patient, stated in there if patient.filed_apart(here)]
        text = f"{counted(len(there), 'patient')} with this Study Instance UID, {_named(differ)}"
        correct = others[0] if len(others) == 1 else None
        return FilingJudgement(f"there are {text}", correct=correct)
    if not there:
        return FilingJudgement(caution="it does not say under which patient it files the study")
    patient, stated = there[0]
    number = derived_uid("filed", patient.id, text_of(ours, "StudyInstanceUID"))
    apart = patient.filed_apart(here)
    if apart and not images & filing.series:
        text = f"it is filed under another patient, {_named(apart)}"
        return FilingJudgement(text, number=number)
    caution = [*apart, *_other_differences(patient, here, stated, ours)]
    if not caution:
        return FilingJudgement(number=number)
    whose = "the images there, which differ from those here" if apart else "data that differ"
    return FilingJudgement(caution=f"it is filed with {whose}: {', '.join(caution)}", number=number)


def _named(keywords: tuple[str, ...] | set[str]) -> str:
    verb = "differs" if len(keywords) == 1 else "differ"
    return f"whose {' and '.join(sorted(keywords, reverse=True))} {verb}"


def _other_differences(there: Patient, here: Patient, stated: Dataset, ours: Dataset) -> list[str]:
    differ = ["PatientName"] if there.name_differs(here) else []
    differ += ["PatientBirthDate"] if there.birth_date_differs(here) else []
    for keyword in ALSO:
        one, other = text_of(stated, keyword), text_of(ours, keyword)
        if one and other and one != other:
            differ.append(keyword)
    return differ
