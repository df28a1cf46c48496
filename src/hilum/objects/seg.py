"""The Segmentation object (PS3.3 A.51): what viewers overlay and machines read."""

from typing import Literal

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import Segmentation, SegmentDescription
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, SegmentationStorage

from hilum.dicom import codes
from hilum.dicom.series import Series
from hilum.dicom.uids import MANUFACTURER, derived_uid
from hilum.findings import Segment
from hilum.objects import common
from hilum.objects.report import Report

Encoding = Literal["auto", "binary", "fractional"]

# Patient level values are stamped on afterwards, from the study's consensus: highdicom insists on
# their presence in the source images, and refuses dirty ones.
EMPTY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "ReferringPhysicianName",
)
GEOMETRY = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns")
MAXIMUM_FRACTIONAL_VALUE = 255


def write(report: Report, encoding: Encoding = "auto") -> Dataset | None:
    """All segments on exactly the grid of the source; None without segments or without a grid."""
    analysis, segments, series = report.analysis, report.numbered_segments, report.analysis.series
    if not segments or series is None or series.stack.spacing is None:
        return None
    kind = segmentation_type(encoding, segments[0].mask.array.shape)
    uid = common.sop_instance_uid(analysis, "seg", kind)
    dataset = Segmentation(
        source_images=source_images(series),
        pixel_array=np.stack([s.mask.array for s in segments], axis=-1).astype(np.uint8),
        segmentation_type=kind,
        segment_descriptions=[_describe(report, n) for n in range(1, len(segments) + 1)],
        series_instance_uid=common.series_instance_uid(uid),
        series_number=common.SERIES_NUMBERS["seg"],
        sop_instance_uid=uid,
        instance_number=1,
        manufacturer=MANUFACTURER,
        manufacturer_model_name=analysis.module.name,
        software_versions=analysis.module.version,
        device_serial_number=analysis.module.weights_sha256,
        fractional_type="OCCUPANCY",
        max_fractional_value=MAXIMUM_FRACTIONAL_VALUE,
        content_label="AI_RESEARCH",
        content_description=common.description(analysis.module.title, "seg"),
        transfer_syntax_uid=ExplicitVRLittleEndian,
    )
    _fix_dimension_organization(dataset, derived_uid("dimensions", uid))
    predecessors = common.predecessors(analysis, SegmentationStorage)
    for item in predecessors:
        item.PurposeOfReferenceCodeSequence = [codes.item(codes.TEMPORAL_PREDECESSOR)]
    if predecessors:
        dataset.ReferencedInstanceSequence = predecessors
    if part := common.body_part(analysis):
        dataset.BodyPartExamined = part
    return common.stamp(dataset, analysis, "seg", kind)


def segmentation_type(encoding: Encoding, shape: tuple[int, ...]) -> str:
    """Segmentation Type: as asked, else what every viewer shows right (see `write_objects`)."""
    _, rows, columns = shape
    if encoding == "auto":
        return "FRACTIONAL" if rows * columns % 8 else "BINARY"
    return encoding.upper()


def source_images(series: Series) -> list[Dataset]:
    """Slim, complete headers in spatial order: identity and geometry as the images state them."""
    images = []
    for instance in series.instances:
        image = Dataset()
        for keyword in EMPTY:
            setattr(image, keyword, None)
        image.SOPClassUID = instance.sop_class_uid
        image.SOPInstanceUID = instance.sop_instance_uid
        image.StudyInstanceUID = instance.study_uid
        image.SeriesInstanceUID = instance.series_uid
        image.Modality = series.modality
        image.FrameOfReferenceUID = frame_of_reference_uid(series)
        image.PositionReferenceIndicator = None
        for keyword in GEOMETRY:
            image[keyword] = instance.header[keyword]
        image.SliceThickness = instance.header.get("SliceThickness") or series.stack.spacing
        image.SpacingBetweenSlices = series.stack.spacing
        image.ImageType = ["DERIVED", "SECONDARY"]
        images.append(image)
    return images


def frame_of_reference_uid(series: Series) -> str:
    """Of the images; derived from their series where they violate the standard and have none."""
    stated = series.header.get("FrameOfReferenceUID")
    return str(stated or derived_uid("frame-of-reference", series.uid))


def _describe(report: Report, number: int) -> SegmentDescription:
    segment = report.numbered_segments[number - 1]
    module = report.analysis.module
    description = SegmentDescription(
        segment_number=number,
        segment_label=segment.name,
        segmented_property_category=segment.category,
        segmented_property_type=segment.code,
        algorithm_type="AUTOMATIC",
        algorithm_identification=AlgorithmIdentificationSequence(
            name=module.name,
            version=module.version,
            family=codes.ARTIFICIAL_INTELLIGENCE,
            source=MANUFACTURER,
            parameters={"weights_sha256": module.weights_sha256},
        ),
        tracking_uid=report.tracking_uid_of(segment),
        tracking_id=segment.name,
        display_color=CIELabColor.from_rgb(*segment.colour),
    )
    modifiers = _modifiers(segment)
    if modifiers:
        kind = description.SegmentedPropertyTypeCodeSequence[0]
        kind.SegmentedPropertyTypeModifierCodeSequence = modifiers
    return description


def _modifiers(segment: Segment) -> list[Dataset]:
    return [codes.item(code) for code in (segment.side, segment.modifier) if code is not None]


def _fix_dimension_organization(dataset: Dataset, uid: str) -> None:
    """highdicom draws a random UID here; a repeated run must give the same bytes."""
    for sequence in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
        for item in dataset[sequence].value:
            item.DimensionOrganizationUID = uid
