"""A study: everything received so far under one Study Instance UID."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag

from hilum.dicom.instance import Instance
from hilum.dicom.series import Series

# Patient and study modules (PS3.3 C.7.1.1, C.7.2.1): what a result must share with its study.
PATIENT_AND_STUDY = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "PatientAge",
    "PatientSize",
    "PatientWeight",
    "StudyInstanceUID",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "StudyDescription",
    "AccessionNumber",
    "ReferringPhysicianName",
)
LONGEST = 1024  # characters that are compared
TYPE_2 = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
)


@dataclass(frozen=True)
class Study:
    """All series received so far under one Study Instance UID."""

    uid: str
    series: tuple[Series, ...]

    @classmethod
    def of(cls, instances: Iterable[Instance]) -> "Study":
        """Group `instances` (all of one study) into series, in order of their UIDs."""
        groups: dict[str, list[Instance]] = {}
        for instance in instances:
            groups.setdefault(instance.series_uid, []).append(instance)
        series = tuple(Series.of(groups[uid]) for uid in sorted(groups))
        return cls(series[0].study_uid, series)

    def consensus(self) -> Dataset:
        """Patient and study attributes as most series state them; Type 2 ones always present.

        One instance must never be trusted for the study: crops and derived series often lack birth
        date and sex, or carry another study time. Each series has one vote; a non-empty value wins
        over an empty one, the more frequent over the rarer, the first over the later.
        """
        agreed = Dataset()
        for keyword in PATIENT_AND_STUDY:
            votes: Counter[str] = Counter()
            element_of: dict[str, DataElement] = {}
            for series in self.series:
                element = series.header.get(Tag(keyword))
                if stated := series.header.text(keyword, LONGEST):
                    votes[stated] += 1
                    element_of.setdefault(stated, element)
            if votes:
                agreed.add(element_of[votes.most_common(1)[0][0]])
            elif keyword in TYPE_2:
                setattr(agreed, keyword, None)
        return agreed
