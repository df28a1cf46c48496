"""Images as scanners write them, made of pixels: for tests, and to try an installation.

They say nothing of a patient, study or series yet: whoever makes them adds that.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

VOLUMES = {  # the SOP class of slices, by modality
    "MR": MRImageStorage,
    "CT": CTImageStorage,
    "PT": PositronEmissionTomographyImageStorage,
}
AXIAL = (1, 0, 0, 0, 1, 0)  # along which rows and columns lie (PS3.3 C.7.6.2.1.1)


def made_up_slice(
    pixels: NDArray[np.uint16],
    modality: str,
    depth: float,
    spacing: float = 1.0,
    pitch: float = 1.0,
    orientation: Sequence[int] = AXIAL,
) -> Dataset:
    """One slice of a volume.

    Parameters
    ----------
    pixels
        Values as they are stored (rows, columns).
    modality
        One of `VOLUMES`.
    depth
        How far it lies along the normal of `orientation` (mm).
    spacing
        From one slice to the next (mm); `pitch` is that of the pixels.
    """
    image = _made_up_image(pixels, VOLUMES[modality], modality)
    image.ImageType = ["ORIGINAL", "PRIMARY", *(["AXIAL"] if modality == "CT" else [])]
    image.PositionReferenceIndicator = None
    across, down = np.array(orientation, float).reshape(2, 3)
    position = np.cross(across, down) * depth
    image.ImageOrientationPatient = list(orientation)
    image.ImagePositionPatient = [round(float(value), 4) for value in position]
    image.PixelSpacing, image.SliceThickness = [pitch, pitch], spacing
    image.ScanningSequence, image.SequenceVariant, image.MRAcquisitionType = "GR", "SP", "3D"
    image.EchoTime, image.RepetitionTime = 3, 9
    image.RescaleIntercept, image.RescaleSlope = (-1024 if modality == "CT" else 0), 1
    return image


def made_up_film(pixels: NDArray[np.uint16], pitch: float) -> Dataset:
    """A frontal film of a chest; `pitch` is that of the pixels (mm)."""
    image = _made_up_image(pixels, DigitalXRayImageStorageForPresentation, "DX")
    image.ImageType, image.BodyPartExamined = ["ORIGINAL", "PRIMARY"], "CHEST"
    image.ViewPosition, image.PatientOrientation = "PA", ["L", "F"]
    image.PresentationIntentType, image.PresentationLUTShape = "FOR PRESENTATION", "IDENTITY"
    image.ImagerPixelSpacing = image.PixelSpacing = [pitch, pitch]
    return image


def _made_up_image(pixels: NDArray[np.uint16], sop_class: str, modality: str) -> Dataset:
    image = Dataset()
    image.SOPClassUID, image.Modality = sop_class, modality
    image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
    image.BitsAllocated, image.BitsStored, image.HighBit = 16, 12, 11
    image.PixelRepresentation = 0
    image.Rows, image.Columns = pixels.shape
    image.PixelData = pixels.astype("<u2").tobytes()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image
