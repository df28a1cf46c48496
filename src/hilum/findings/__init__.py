"""What a module reports. Writers turn a list of findings into DICOM objects.

A finding that cannot be written is refused where it is made: `FindingError`, which is a ValueError.
"""

from hilum.findings.classification import Classification, Score
from hilum.findings.collection import Findings
from hilum.findings.finding import FINDING_KINDS, Finding, image_of, referred_to
from hilum.findings.heat_map import HeatMap
from hilum.findings.measurement import TELLING, Change, Earlier, Measurement
from hilum.findings.own_object import OwnObject
from hilum.findings.remarks import CAUTION, Note, Refusal
from hilum.findings.segment import Segment

__all__ = [
    "CAUTION",
    "FINDING_KINDS",
    "TELLING",
    "Change",
    "Classification",
    "Earlier",
    "Finding",
    "Findings",
    "HeatMap",
    "Measurement",
    "Note",
    "OwnObject",
    "Refusal",
    "Score",
    "Segment",
    "image_of",
    "referred_to",
]
