"""An earlier exam that a run is given, as the records remember it: values alone, nothing of DICOM.

The records import it, and so does every command.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class EarlierImages:
    """Images of one series and SOP class of an earlier exam, as `hilum.dicom.parts.images_of`."""

    series_uid: str
    sop_class_uid: str
    images: tuple[str, ...]


@dataclass(frozen=True)
class EarlierExam:
    """An earlier exam that a run is given; `day` is its Study Date, YYYY-MM-DD.

    `label` stands for whose it was said to be, and changes with any attribute of patient and study.
    """

    study_uid: str
    day: str
    description: str
    label: str
    images: tuple[EarlierImages, ...]

    def __str__(self) -> str:
        return f"the exam of {self.day} ({self.description})"
