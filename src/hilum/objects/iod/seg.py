"""The Segmentation object (PS3.3 A.51, A.90): what viewers overlay and machines read."""

from collections.abc import Iterator, Sequence

import numpy as np
from highdicom import AlgorithmIdentificationSequence
from highdicom.color import CIELabColor
from highdicom.seg import Segmentation, SegmentDescription
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import DSfloat

from hilum.config.kinds import Encoding
from hilum.dicom import codes
from hilum.dicom.frames import Frame
from hilum.dicom.series import Series
from hilum.dicom.uids import MANUFACTURER, RLE_LOSSLESS, SEGMENTATION_CLASSES, derived_uid
from hilum.findings import Structure
from hilum.objects.analysis import Analysis
from hilum.objects.iod import common
from hilum.objects.kinds import Writing
from hilum.objects.report import Report
from hilum.results import DICOM

# Patient level values are stamped on afterwards, from the analysed images: highdicom insists on
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
MAXIMUM_FRACTIONAL_VALUE = 255


def write(report: Report, encoding: Encoding = "binary") -> Dataset | None:
    """All segments on exactly the grid of the source; None without segments or without a grid."""
    analysis, segments, series = report.analysis, report.numbered_segments, report.analysis.series
    if not segments or series is None or series.stack.spacing is None:
        return None
    labels = as_label_map(segments)
    kind = segmentation_type(encoding, series, overlapping=labels is None)
    uid = common.sop_instance_uid(analysis, "seg", kind)
    dataset = Segmentation(
        source_images=source_images(series),
        pixel_array=_stacked(series, segments) if labels is None else series.on_planes(labels),
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
        # Of 104 structures in 600 slices that is 4 MB instead of 150; BINARY knows no compression.
        transfer_syntax_uid=RLE_LOSSLESS if kind == "LABELMAP" else ExplicitVRLittleEndian,
    )
    complete(dataset, analysis, series, SEGMENTATION_CLASSES)
    return common.stamp(dataset, analysis, "seg", kind)


def complete(dataset: Dataset, analysis: Analysis, series: Series, classes: Sequence[str]) -> None:
    """What highdicom cannot know of an object on the grid of `series`.

    `classes` are the SOP classes of the objects that it replaces.
    """
    dataset.ContentCreatorName = None  # Type 2: nobody but the algorithm made it
    _refer_to_frames(dataset, series)
    _fix_dimension_organization(dataset, derived_uid("dimensions", dataset.SOPInstanceUID))
    predecessors = [item for uid in classes for item in common.predecessors(analysis, uid)]
    for item in predecessors:
        item.PurposeOfReferenceCodeSequence = [codes.item(codes.TEMPORAL_PREDECESSOR)]
    if predecessors:
        dataset.ReferencedInstanceSequence = predecessors
    if part := common.body_part(analysis):
        dataset.BodyPartExamined = part


def segmentation_type(encoding: Encoding, series: Series, overlapping: bool) -> str:
    """Segmentation Type: as asked, or what OHIF shows right (see `write_objects`).

    A label map holds one structure a voxel, so what is `overlapping` is BINARY instead.
    """
    rows, columns = series.frames[0].size or (0, 0)
    if encoding == "ohif":
        return "FRACTIONAL" if rows * columns % 8 else "BINARY"
    return "BINARY" if encoding == "labelmap" and overlapping else encoding.upper()


def as_label_map(structures: Sequence[Structure]) -> np.ndarray | None:
    """The number of the structure at each voxel, from 1 on, 0 without one; None if two overlap.

    It takes the room of one array, whatever the number of structures: uint8 or uint16, (slices,
    rows, columns).
    """
    labels = np.zeros(structures[0].shape, np.uint8 if len(structures) < 256 else np.uint16)
    for number, structure in enumerate(structures, start=1):
        part, inside = labels[structure.box], structure.inside(structure.box)
        if part[inside].any():
            return None
        part[inside] = number
    return labels


def _stacked(series: Series, structures: Sequence[Structure]) -> np.ndarray:
    """The masks of structures that overlap, (frames, rows, columns, structures)."""
    everywhere = (slice(None), slice(None), slice(None))
    rows, columns = series.frames[0].size or (0, 0)
    masks = np.empty((len(series.frames), rows, columns, len(structures)), np.uint8)
    for number, structure in enumerate(structures):
        masks[..., number] = series.on_planes(structure.inside(everywhere))
    return masks


def source_images(series: Series) -> list[Dataset]:
    """Slim, complete headers in spatial order, one a frame: geometry as the images state it.

    Each stands under a UID of its own, as an image of the plainest class: highdicom takes several
    frames of one object no other way. `_refer_to_frames` puts what they are in its place.
    """
    images = []
    spacing = series.stack.spacing or 0.0
    for frame in series.frames:
        image = Dataset()
        for keyword in EMPTY:
            setattr(image, keyword, None)
        image.SOPClassUID = MRImageStorage
        image.SOPInstanceUID = _placeholder(frame)
        image.StudyInstanceUID = frame.instance.study_uid
        image.SeriesInstanceUID = frame.instance.series_uid
        image.Modality = series.modality
        image.FrameOfReferenceUID = series.frame_of_reference_uid
        image.PositionReferenceIndicator = None
        image.ImagePositionPatient = _decimals(frame.position)
        image.ImageOrientationPatient = _decimals(frame.orientation)
        image.PixelSpacing = _decimals(frame.pixel_spacing)
        image.Rows, image.Columns = frame.size or (0, 0)
        image.SliceThickness = DSfloat(frame.thickness or spacing, auto_format=True)
        image.SpacingBetweenSlices = DSfloat(spacing, auto_format=True)
        image.ImageType = ["DERIVED", "SECONDARY"]
        images.append(image)
    return images


def _decimals(numbers: Sequence[float] | None) -> list[DSfloat]:
    return [DSfloat(number, auto_format=True) for number in numbers or ()]


def _placeholder(frame: Frame) -> str:
    return derived_uid("frame", frame.instance.sop_instance_uid, str(frame.number))


def _derivations(dataset: Dataset) -> Iterator[Dataset]:
    for group in dataset.PerFrameFunctionalGroupsSequence:
        yield from group.get("DerivationImageSequence", [])


def _refer_to_frames(dataset: Dataset, series: Series) -> None:
    """Name the images, and the frames of those that have several, instead of the placeholders."""
    frames = {_placeholder(frame): frame for frame in series.frames}
    for holder in (dataset, *_derivations(dataset)):
        for source in holder.get("SourceImageSequence", []):
            frame = frames.get(source.ReferencedSOPInstanceUID)
            if frame is None:
                continue  # segments on one slice share this item
            source.ReferencedSOPClassUID = frame.instance.sop_class_uid
            source.ReferencedSOPInstanceUID = frame.instance.sop_instance_uid
            if frame.instance.is_multi_frame:
                source.ReferencedFrameNumber = frame.number
    dataset.ReferencedSeriesSequence = [
        common.series_reference(
            series.uid,
            [common.reference(i.sop_class_uid, i.sop_instance_uid) for i in series.instances],
            "ReferencedInstanceSequence",
        )
    ]


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


def _modifiers(segment: Structure) -> list[Dataset]:
    return [codes.item(code) for code in (segment.side, segment.modifier) if code is not None]


def _fix_dimension_organization(dataset: Dataset, uid: str) -> None:
    """Replace the random UID of highdicom: a repeated run must give the same bytes."""
    for sequence in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
        for item in dataset[sequence].value:
            item.DimensionOrganizationUID = uid


class SegmentationObject:
    """The kind "seg"."""

    media_type = DICOM
    refers_to: tuple[str, ...] = ()

    def write(self, writing: Writing) -> list[Dataset]:
        segmentation = write(writing.report, writing.segmentation)
        return [segmentation] if segmentation else []
