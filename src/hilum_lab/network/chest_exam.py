"""The sample chest exam: two computed radiographs of a phantom as DX images (PS3.3 A.26).

Every image says what it is: in its pixels, its comments and the study's description. The person
named in the headers does not exist.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import UID, DigitalXRayImageStorageForPresentation

from hilum.dicom.uids import derived_uid
from hilum_lab.network.radiograph import BITS, PITCH, expose
from hilum_lab.network.samples import blank, describe_visit

VIEWS = ("PA", "LL")  # View Position; one series with one image each
DESCRIPTION = {"PA": "Chest PA", "LL": "Chest lateral"}
COMMENT = "Computed from a synthetic phantom; fictitious patient; not for diagnosis"

PROJECTION = {"PA": codes.cid4010.PosteroAnterior, "LL": codes.cid4010.LeftLateral}


def make_chest_exam(folder: Path, *, number: int = 1, views: Sequence[str] = VIEWS) -> Path:
    """Write the sample chest exam below `folder` and return `folder`.

    Parameters
    ----------
    folder
        Is made if need be; gets one subfolder per series with one file in it.
    number
        Which fictitious patient: other numbers have other names, UIDs and anatomy.
    views
        Which of `VIEWS` to write.
    """
    for view in views:
        place = folder / f"{VIEWS.index(view) + 1:02d}"
        place.mkdir(parents=True, exist_ok=True)
        dataset = _film(number, view)
        dataset.save_as(place / "001.dcm", enforce_file_format=True)
    return folder


def study_uid(number: int = 1) -> str:
    """Study Instance UID of sample chest exam `number`."""
    return derived_uid("hilum", "sample-chest-exam", str(number))


def series_uid(view: str, number: int = 1) -> str:
    """Series Instance UID of the film with View Position `view`."""
    return derived_uid("hilum", "sample-chest-exam", str(number), view)


def image_uid(view: str, number: int = 1) -> str:
    """SOP Instance UID of the film with View Position `view`."""
    return derived_uid("hilum", "sample-chest-exam", str(number), view, "1")


def _film(number: int, view: str) -> FileDataset:
    dataset = blank(DigitalXRayImageStorageForPresentation)
    dataset.file_meta.MediaStorageSOPInstanceUID = UID(image_uid(view, number))
    _describe_study(dataset, number)
    _describe_series(dataset, number, view)
    _describe_exposure(dataset, view)
    _describe_image(dataset, expose(number, lateral=view == "LL").pixels)
    return dataset


def _describe_study(dataset: Dataset, number: int) -> None:
    describe_visit(dataset, number)
    dataset.PatientName = f"Phantom^Thorax {number}" if number > 1 else "Phantom^Thorax"
    dataset.PatientID = f"HILUM-PHANTOM-{number}"
    dataset.PatientBirthDate = "19720519"
    dataset.PatientSex = "O"
    dataset.PatientAge = "051Y"
    dataset.StudyInstanceUID = study_uid(number)
    dataset.AccessionNumber = f"PHANTOM{number:04d}"
    dataset.StudyTime = "113020"
    dataset.StudyDescription = "Chest radiographs, synthetic phantom"
    dataset.Manufacturer = "Simulated X-ray unit"
    dataset.ManufacturerModelName = "Phantom"


def _describe_series(dataset: Dataset, number: int, view: str) -> None:
    dataset.SOPInstanceUID = image_uid(view, number)
    dataset.Modality = "DX"
    dataset.PresentationIntentType = "FOR PRESENTATION"
    dataset.SeriesInstanceUID = series_uid(view, number)
    dataset.SeriesNumber = VIEWS.index(view) + 1
    dataset.InstanceNumber = 1
    dataset.SeriesDescription = dataset.ProtocolName = DESCRIPTION[view]
    dataset.SeriesDate = dataset.AcquisitionDate = dataset.ContentDate = dataset.StudyDate
    time = f"11{31 + VIEWS.index(view)}05"
    dataset.SeriesTime = dataset.AcquisitionTime = dataset.ContentTime = time
    dataset.BodyPartExamined = "CHEST"
    dataset.AnatomicRegionSequence = [_item(codes.SCT.Chest)]
    dataset.ImageLaterality = "U"
    dataset.ViewPosition = view
    dataset.ViewCodeSequence = [_item(PROJECTION[view])]
    dataset.ViewCodeSequence[0].ViewModifierCodeSequence = []
    dataset.PatientOrientation = ["L", "F"] if view == "PA" else ["P", "F"]
    dataset.AcquisitionContextSequence = []


def _describe_exposure(dataset: Dataset, view: str) -> None:
    """Detector and beam, as far as the simulation has them."""
    dataset.KVP = "120"
    dataset.ExposureInuAs = "2500" if view == "PA" else "8000"
    dataset.DistanceSourceToDetector = "1800"
    dataset.Grid = "FOCUSED"
    dataset.DetectorType = "DIRECT"
    dataset.DetectorConfiguration = "AREA"
    dataset.DetectorID = "1"
    dataset.DetectorConditionsNominalFlag = "YES"
    dataset.ImagerPixelSpacing = [PITCH, PITCH]
    dataset.PositionerType = "NONE"
    dataset.PixelSpacing = [PITCH, PITCH]


def _describe_image(dataset: Dataset, pixels: np.ndarray) -> None:
    dataset.ImageType = ["DERIVED", "PRIMARY", ""]
    dataset.DerivationDescription = "Line integrals through a phantom of simple solids"
    dataset.ImageComments = COMMENT
    dataset.AcquisitionNumber = 1
    dataset.BurnedInAnnotation = "NO"
    dataset.LossyImageCompression = "00"
    dataset.SamplesPerPixel = 1
    dataset.PhotometricInterpretation = "MONOCHROME2"
    dataset.PresentationLUTShape = "IDENTITY"
    dataset.PixelIntensityRelationship = "LOG"
    dataset.PixelIntensityRelationshipSign = -1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = 0, 1, "US"
    dataset.BitsAllocated = 16
    dataset.BitsStored = BITS
    dataset.HighBit = BITS - 1
    dataset.PixelRepresentation = 0
    dataset.WindowCenter, dataset.WindowWidth = 2 ** (BITS - 1), 2**BITS
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.PixelData = np.ascontiguousarray(pixels, dtype="<u2").tobytes()


def _item(code: Code) -> Dataset:
    item = Dataset()
    item.CodeValue = code.value
    item.CodingSchemeDesignator = code.scheme_designator
    item.CodeMeaning = code.meaning
    return item
