"""What a module imports that runs in an environment of its own beside Hilum.

It takes Python 3.9 and any numpy, and nothing of DICOM: Hilum has decoded the images. The classes
are called as those of `hilum`, so that a module may move from one to the other.
"""

from hilum_module import codes
from hilum_module.classification import Classification, HeatMap, Score
from hilum_module.codes import Code
from hilum_module.film import Film
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
    OwnObject,
    ParametricMap,
    Plot,
    Point,
    Refusal,
    Segment,
    Table,
    Urgency,
)
from hilum_module.inputs import EarlierExams, Films, FindingsOf, Input, Resources
from hilum_module.series import Series
from hilum_module.volume import Volume

__all__ = [
    "Angle",
    "Box",
    "Classification",
    "Code",
    "Curve",
    "Draft",
    "Drawing",
    "EarlierExams",
    "Film",
    "Films",
    "Finding",
    "Findings",
    "FindingsOf",
    "HeatMap",
    "Input",
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
    "Resources",
    "Score",
    "Segment",
    "Series",
    "Table",
    "Urgency",
    "Volume",
    "codes",
]
