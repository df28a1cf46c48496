"""Content items of a structured report (PS3.3 C.17.3), as plain data sets.

highdicom's templates are not used here: they know no report without measurements (a refusal), allow
no group with both a segment and its outlines, and copy the tree several times over.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.valuerep import DSfloat

from hilum.dicom import codes
from hilum.dicom.frames import Frame
from hilum.objects.iod import common

CONTAINS = "CONTAINS"
HAS_ACQ_CONTEXT = "HAS ACQ CONTEXT"
HAS_OBS_CONTEXT = "HAS OBS CONTEXT"
HAS_CONCEPT_MOD = "HAS CONCEPT MOD"
HAS_PROPERTIES = "HAS PROPERTIES"
INFERRED_FROM = "INFERRED FROM"
SELECTED_FROM = "SELECTED FROM"


def container(
    name: Code, children: Sequence[Dataset], template: str | None = None, relation: str = CONTAINS
) -> Dataset:
    """A CONTAINER, SEPARATE, with its template identified."""
    item = _item("CONTAINER", name, relation, children)
    item.ContinuityOfContent = "SEPARATE"
    if template:
        identification = Dataset()
        identification.MappingResource = "DCMR"
        identification.TemplateIdentifier = template
        item.ContentTemplateSequence = [identification]
    return item


def text(name: Code, value: str, relation: str = CONTAINS) -> Dataset:
    item = _item("TEXT", name, relation)
    item.TextValue = value
    return item


def code(
    name: Code, value: Code, relation: str = CONTAINS, children: Iterable[Dataset] = ()
) -> Dataset:
    item = _item("CODE", name, relation, children)
    item.ConceptCodeSequence = [codes.item(value)]
    return item


def person(name: Code, value: str, relation: str = CONTAINS) -> Dataset:
    item = _item("PNAME", name, relation)
    item.PersonName = value
    return item


def uid(name: Code, value: str, relation: str = CONTAINS) -> Dataset:
    item = _item("UIDREF", name, relation)
    item.UID = value
    return item


def number(
    name: Code,
    value: float,
    unit: Code,
    children: Iterable[Dataset] = (),
    relation: str = CONTAINS,
) -> Dataset:
    measured = Dataset()
    measured.NumericValue = DSfloat(value, auto_format=True)
    measured.FloatingPointValue = float(value)
    measured.MeasurementUnitsCodeSequence = [codes.item(unit)]
    item = _item("NUM", name, relation, children)
    item.MeasuredValueSequence = [measured]
    return item


def segment(name: Code, sop_class_uid: str, sop_instance_uid: str, number: int) -> Dataset:
    item = image(name, sop_class_uid, sop_instance_uid)
    item.ReferencedSOPSequence[0].ReferencedSegmentNumber = number
    return item


def image(
    name: Code, sop_class_uid: str, sop_instance_uid: str, relation: str = CONTAINS
) -> Dataset:
    item = _item("IMAGE", name, relation)
    item.ReferencedSOPSequence = [common.reference(sop_class_uid, sop_instance_uid)]
    return item


def frame(name: Code, shown: Frame, relation: str = CONTAINS) -> Dataset:
    """The image that `shown` is, or is one of several frames of (PS3.3 C.18.4)."""
    instance = shown.instance
    item = image(name, instance.sop_class_uid, instance.sop_instance_uid, relation)
    if instance.is_multi_frame:
        item.ReferencedSOPSequence[0].ReferencedFrameNumber = shown.number
    return item


def referenced(value_type: str, sop_class_uid: str, sop_instance_uid: str) -> Dataset:
    """An IMAGE or COMPOSITE that is named without saying what for (TID 2010)."""
    item = Dataset()
    item.RelationshipType = CONTAINS
    item.ValueType = value_type
    item.ReferencedSOPSequence = [common.reference(sop_class_uid, sop_instance_uid)]
    return item


def coordinates(graphic_type: str, points: np.ndarray, source: Dataset) -> Dataset:
    """What a number was inferred from: (column, row) `points` on the image item `source`."""
    return _drawn(_bare("SCOORD", INFERRED_FROM, [source]), graphic_type, points)


def coordinates_in_space(graphic_type: str, points: np.ndarray, frame_of_reference: str) -> Dataset:
    """The same in the patient: (x, y, z) `points` in mm."""
    item = _bare("SCOORD3D", INFERRED_FROM)
    item.ReferencedFrameOfReferenceUID = frame_of_reference
    return _drawn(item, graphic_type, points)


def region(name: Code, graphic_type: str, points: np.ndarray, source: Dataset) -> Dataset:
    """A place of (column, row) `points` on the image item `source`."""
    return _drawn(_item("SCOORD", name, CONTAINS, [source]), graphic_type, points)


def polyline(name: Code, points: np.ndarray, source: Dataset) -> Dataset:
    """A closed outline of (column, row) `points` on the image item `source`."""
    return region(name, "POLYLINE", points, source)


def _drawn(item: Dataset, graphic_type: str, points: np.ndarray) -> Dataset:
    item.GraphicType = graphic_type
    item.GraphicData = points.astype(np.float32).ravel().tolist()
    return item


def _item(value_type: str, name: Code, relation: str, children: Iterable[Dataset] = ()) -> Dataset:
    item = _bare(value_type, relation, children)
    item.ConceptNameCodeSequence = [codes.item(name)]
    return item


def _bare(value_type: str, relation: str, children: Iterable[Dataset] = ()) -> Dataset:
    item = Dataset()
    if relation:
        item.RelationshipType = relation
    item.ValueType = value_type
    content = list(children)
    if content:
        item.ContentSequence = content
    return item
