"""The Secondary Capture (PS3.3 A.8.1): the one result that every viewer can show."""

from collections.abc import Sequence

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.uid import SecondaryCaptureImageStorage

from hilum.dicom import codes
from hilum.dicom.instance import Instance
from hilum.objects.iod import common
from hilum.objects.kinds import Writing
from hilum.objects.report import Report
from hilum.objects.sheet import typeset
from hilum.results import DICOM

# Body parts that there are not two of (PS3.16 Annex L), as far as radiographs and sections go.
UNPAIRED = (
    *("ABDOMEN", "ABDOMENPELVIS", "BRAIN", "CHEST", "CHESTABDOMEN", "CHESTABDPELVIS", "COCCYX"),
    *("CSPINE", "CTSPINE", "HEAD", "HEADNECK", "HEART", "JAW", "LIVER", "LSPINE", "LSSPINE"),
    *("MAXILLA", "MEDIASTINUM", "NECK", "NECKCHEST", "NOSE", "PELVIS", "PROSTATE", "SKULL"),
    *("SPINE", "SPLEEN", "SSPINE", "STERNUM", "TLSPINE", "TRACHEA", "TSPINE", "WHOLEBODY"),
)


def write(report: Report) -> list[Dataset]:
    """The pictures of `report`, RGB, in one series: one for each film, a summary of several first.

    A result about a volume, or about one film, is one picture.
    """
    drawn = typeset.pictures(report)
    return [
        _capture(report, number, image, sheet.instances)
        for number, (image, sheet) in enumerate(drawn, start=1)
    ]


def _capture(
    report: Report, number: int, image: Image.Image, instances: Sequence[Instance]
) -> Dataset:
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
    dataset.DerivationDescription = common.description(analysis.module.title, "sc")
    dataset.BodyPartExamined = common.body_part(analysis)
    if dataset.BodyPartExamined not in UNPAIRED:  # Type 2C, and forbidden elsewhere
        dataset.Laterality = common.laterality(instances)
    sources = [common.reference(i.sop_class_uid, i.sop_instance_uid) for i in instances]
    for source in sources:
        source.PurposeOfReferenceCodeSequence = [codes.item(codes.SOURCE_IMAGE)]
    if sources:
        dataset.SourceImageSequence = sources
    predecessors = common.predecessors(analysis, SecondaryCaptureImageStorage)
    for item in predecessors:
        item.PurposeOfReferenceCodeSequence = [codes.item(codes.TEMPORAL_PREDECESSOR)]
    if predecessors:
        dataset.ReferencedInstanceSequence = predecessors
    _pixels(dataset, np.asarray(image))
    return common.stamp(dataset, analysis, "sc", number=number)


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


class Picture:
    """The kind "sc"."""

    media_type = DICOM
    refers_to: tuple[str, ...] = ()

    def write(self, writing: Writing) -> list[Dataset]:
        return write(writing.report)
