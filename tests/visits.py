"""The same patient again: a copy of an exam, made later."""

from pathlib import Path

import pydicom

from hilum.dicom.uids import derived_uid
from hilum.transport.sender import dicom_files


def a_year_later(folder: Path, scale: float = 1.0) -> str:
    """Turn the exam in `folder` into one of the next year, its voxels `scale` times as long.

    Gives the date that it had, as in the file.
    """
    files = dicom_files(folder)
    before = str(pydicom.dcmread(files[0]).StudyDate)
    for path in files:
        image = pydicom.dcmread(path)
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID"):
            setattr(image, keyword, derived_uid("later", image[keyword].value))
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
        image.StudyDate = f"{int(before[:4]) + 1}{before[4:]}"
        image.PixelSpacing = [scale * side for side in image.PixelSpacing]
        image.SliceThickness = scale * image.SliceThickness
        image.ImagePositionPatient = [scale * place for place in image.ImagePositionPatient]
        image.save_as(path)
    return before
