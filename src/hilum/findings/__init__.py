"""What a module reports. Writers turn a list of findings into DICOM objects.

A finding that cannot be written is refused where it is made: `FindingError`, which is a ValueError.
"""

from hilum.findings.angle import Angle
from hilum.findings.box import Box
from hilum.findings.classification import Classification, Score
from hilum.findings.collection import Findings
from hilum.findings.finding import FINDING_KINDS, Finding, image_of, referred_to
from hilum.findings.heat_map import HeatMap
from hilum.findings.length import Length
from hilum.findings.measurement import TELLING, Change, Earlier, Measurement
from hilum.findings.point import Point
from hilum.findings.remarks import CAUTION, Note, Refusal
from hilum.findings.segment import Segment
from hilum.findings.shape import Shape

__all__ = [
    "CAUTION",
    "FINDING_KINDS",
    "TELLING",
    "Angle",
    "Box",
    "Change",
    "Classification",
    "Earlier",
    "Finding",
    "Findings",
    "HeatMap",
    "Length",
    "Measurement",
    "Note",
    "Point",
    "Refusal",
    "Score",
    "Segment",
    "Shape",
    "image_of",
    "referred_to",
]
