"""What a module imports that runs in an environment of its own beside Hilum.

It takes Python 3.9 and any numpy, and nothing of DICOM: Hilum has decoded the images. The classes
are called as those of `hilum`, so that a module may move from one to the other.
"""

from hilum_module import codes
from hilum_module.codes import Code
from hilum_module.findings import (
    Angle,
    Box,
    Curve,
    Draft,
    Drawing,
    Finding,
    Findings,
    KeyImage,
    Label,
    LabelMap,
    Length,
    Measurement,
    Note,
    ParametricMap,
    Plot,
    Point,
    Refusal,
    Segment,
    Table,
    Urgency,
)
from hilum_module.inputs import FindingsOf, Input
from hilum_module.series import Series, Volume

__all__ = [
    "Angle",
    "Box",
    "Code",
    "Curve",
    "Draft",
    "Drawing",
    "Finding",
    "Findings",
    "FindingsOf",
    "Input",
    "KeyImage",
    "Label",
    "LabelMap",
    "Length",
    "Measurement",
    "Note",
    "ParametricMap",
    "Plot",
    "Point",
    "Refusal",
    "Segment",
    "Series",
    "Table",
    "Urgency",
    "Volume",
    "codes",
]
