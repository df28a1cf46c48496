"""An image as it would be if it had come under another patient."""

from io import BytesIO

import pydicom
from pydicom.dataset import Dataset

from hilum.dicom.header import HOSTILE, text_of
from hilum.dicom.identity import PATIENT_AND_STUDY
from hilum.errors import UnreadableError

UTF_8 = "ISO_IR 192"


def restated(part10: bytes, patient: Dataset) -> Dataset:
    """The object in `part10` with what `patient` states of patient and study, in UTF-8.

    An age goes with the birth date: where that is another one, it is left out unless it is stated.

    Raises
    ------
    UnreadableError
        Its texts cannot be decoded, so they cannot be kept beside the new ones.
    """
    try:
        dataset = pydicom.dcmread(BytesIO(part10))
        dataset.decode()
        dataset.SpecificCharacterSet = UTF_8
        born = text_of(patient, "PatientBirthDate")
        if born and born != text_of(dataset, "PatientBirthDate"):
            dataset.pop("PatientAge", None)
        for keyword in PATIENT_AND_STUDY:
            if keyword != "StudyInstanceUID" and (value := text_of(patient, keyword)):
                setattr(dataset, keyword, value)
    except HOSTILE as error:
        raise UnreadableError(f"its texts cannot be decoded: {type(error).__name__}") from error
    return dataset
