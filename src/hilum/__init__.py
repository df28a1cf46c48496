"""Hilum: the AI gateway for the hospital imaging network. What a module author imports."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from hilum import silence  # noqa: F401 - before any library that would call home

if TYPE_CHECKING:
    from pydicom.sr.coding import Code

    from hilum.dicom import codes
    from hilum.dicom.film import Film
    from hilum.dicom.series import Series
    from hilum.findings import (
        Angle,
        Box,
        Classification,
        Curve,
        Draft,
        Drawing,
        Finding,
        Findings,
        HeatMap,
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
        Score,
        Segment,
        Table,
        Urgency,
    )
    from hilum.module import EarlierExams, Films, FindingsOf, Input, Module, Resources

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
    "Module",
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
    "codes",
]

_HOMES = {  # imported when first asked for: a command that shows something needs none of them
    "codes": "hilum.dicom.codes",
    "Code": "pydicom.sr.coding",
    "Film": "hilum.dicom.film",
    "Series": "hilum.dicom.series",
    "EarlierExams": "hilum.module",
    "Films": "hilum.module",
    "FindingsOf": "hilum.module",
    "Input": "hilum.module",
    "Resources": "hilum.module",
    "Module": "hilum.module",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(_HOMES.get(name, "hilum.findings"))
    return home if name == "codes" else getattr(home, name)
