"""What a module reports. Writers turn a list of findings into DICOM objects.

A finding that cannot be written is refused where it is made: `FindingError`, which is a ValueError.
"""

from hilum.findings.angle import Angle
from hilum.findings.box import Box
from hilum.findings.classification import Classification, Score
from hilum.findings.collection import Findings
from hilum.findings.draft import Draft
from hilum.findings.drawing import Drawing
from hilum.findings.finding import FINDING_KINDS, Finding, image_of, referred_to
from hilum.findings.heat_map import HeatMap
from hilum.findings.key_image import KeyImage
from hilum.findings.length import Length
from hilum.findings.measurement import TELLING, Change, Earlier, Measurement
from hilum.findings.point import Point
from hilum.findings.remarks import CAUTION, Note, Refusal
from hilum.findings.segment import Segment
from hilum.findings.shape import Shape
from hilum.findings.table import Table
from hilum.findings.urgency import Urgency

__all__ = [
    "CAUTION",
    "FINDING_KINDS",
    "TELLING",
    "Angle",
    "Box",
    "Change",
    "Classification",
    "Draft",
    "Drawing",
    "Earlier",
    "Finding",
    "Findings",
    "HeatMap",
    "KeyImage",
    "Length",
    "Measurement",
    "Note",
    "Point",
    "Refusal",
    "Score",
    "Segment",
    "Shape",
    "Table",
    "Urgency",
    "image_of",
    "referred_to",
]
