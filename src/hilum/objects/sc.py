"""The Secondary Capture (PS3.3 A.8.1): the one result that every viewer can show."""

from collections.abc import Mapping

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from hilum.dicom import codes
from hilum.objects import common, picture
from hilum.objects.report import Report


def write(report: Report, written: Mapping[str, Dataset]) -> Dataset:
    """The picture of `report`, RGB."""
    analysis = report.analysis
    dataset = Dataset()
    dataset.SOPClassUID = SecondaryCaptureImageStorage
    dataset.Modality = "OT"
    dataset.ConversionType = "WSD"
    dataset.ImageType = ["DERIVED", "SECONDARY"]
    dataset.PatientOrientation = None
    dataset.BurnedInAnnotation = "YES"
    dataset.DateOfSecondaryCapture = analysis.created.strftime("%Y%m%d")
    dataset.TimeOfSecondaryCapture = analysis.created.strftime("%H%M%S")
    dataset.DerivationDescription = common.description(analysis, "sc")
    dataset.BodyPartExamined = common.body_part(analysis)
    if not dataset.BodyPartExamined:
        dataset.Laterality = None  # Type 2C: required where no body part rules it out
    sources = [
        common.reference(i.sop_class_uid, i.sop_instance_uid) for i in common.instances(analysis)
    ]
    for source in sources:
        source.PurposeOfReferenceCodeSequence = [codes.item(codes.SOURCE_IMAGE)]
    if sources:
        dataset.SourceImageSequence = sources
    predecessors = common.predecessors(analysis, SecondaryCaptureImageStorage)
    for item in predecessors:
        item.PurposeOfReferenceCodeSequence = [codes.item(codes.TEMPORAL_PREDECESSOR)]
    if predecessors:
        dataset.ReferencedInstanceSequence = predecessors
    _pixels(dataset, np.asarray(picture.draw(report)))
    return common.stamp(dataset, analysis, "sc")


def _pixels(dataset: Dataset, rgb: np.ndarray) -> None:
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = rgb.shape
    dataset.PhotometricInterpretation = "RGB"
    dataset.PlanarConfiguration = 0
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit = 7
    dataset.PixelRepresentation = 0
    pixels = rgb.tobytes()
    dataset.PixelData = pixels + b"\0" * (len(pixels) % 2)
    dataset["PixelData"].VR = "OB"
