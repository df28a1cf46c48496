"""What a module reports. Writers turn a list of findings into DICOM objects.

A finding that cannot be written is refused where it is made: `FindingError`, which is a ValueError.
"""

from hilum.findings.angle import Angle
from hilum.findings.box import Box
from hilum.findings.classification import Classification, Score
from hilum.findings.collection import Findings
from hilum.findings.draft import Draft
from hilum.findings.drawing import Drawing
from hilum.findings.finding import (
    FINDING_KINDS,
    Finding,
    image_of,
    referred_to,
    with_parts,
)
from hilum.findings.heat_map import HeatMap
from hilum.findings.key_image import KeyImage
from hilum.findings.label_map import Label, LabelMap
from hilum.findings.length import Length
from hilum.findings.measurement import TELLING, Change, Earlier, Measurement
from hilum.findings.own_object import OwnObject
from hilum.findings.parametric_map import ParametricMap
from hilum.findings.plot import Curve, Plot
from hilum.findings.point import Point
from hilum.findings.remarks import CAUTION, Note, Refusal
from hilum.findings.segment import Segment
from hilum.findings.shape import Shape
from hilum.findings.structure import NOWHERE, GridBox, Structure
from hilum.findings.table import Table
from hilum.findings.urgency import Urgency

__all__ = [
    "CAUTION",
    "FINDING_KINDS",
    "NOWHERE",
    "TELLING",
    "Angle",
    "Box",
    "Change",
    "Classification",
    "Curve",
    "Draft",
    "Drawing",
    "Earlier",
    "Finding",
    "Findings",
    "GridBox",
    "HeatMap",
    "KeyImage",
    "Label",
    "LabelMap",
    "Length",
    "Measurement",
    "Note",
    "OwnObject",
    "ParametricMap",
    "Plot",
    "Point",
    "Refusal",
    "Score",
    "Segment",
    "Shape",
    "Structure",
    "Table",
    "Urgency",
    "image_of",
    "referred_to",
    "with_parts",
]
