"""What a module reports. Writers turn a list of findings into DICOM objects.

A finding that cannot be written is refused where it is made: `FindingError`, which is a ValueError.
"""

from hilum.findings.classification import Classification, Score
from hilum.findings.collection import Findings
from hilum.findings.finding import (
    FINDING_KINDS,
    Finding,
    image_of,
    referred_to,
    with_parts,
)
from hilum.findings.heat_map import HeatMap
from hilum.findings.label_map import Label, LabelMap
from hilum.findings.measurement import TELLING, Change, Earlier, Measurement
from hilum.findings.own_object import OwnObject
from hilum.findings.remarks import CAUTION, Note, Refusal
from hilum.findings.segment import Segment
from hilum.findings.structure import NOWHERE, Box, Structure

__all__ = [
    "CAUTION",
    "FINDING_KINDS",
    "NOWHERE",
    "TELLING",
    "Box",
    "Change",
    "Classification",
    "Earlier",
    "Finding",
    "Findings",
    "HeatMap",
    "Label",
    "LabelMap",
    "Measurement",
    "Note",
    "OwnObject",
    "Refusal",
    "Score",
    "Segment",
    "Structure",
    "image_of",
    "referred_to",
    "with_parts",
]
