"""Hilum: the AI gateway for the hospital imaging network. What a module author imports."""

from hilum.dicom import codes
from hilum.dicom.series import Series
from hilum.findings import (
    Classification,
    Finding,
    HeatMap,
    Measurement,
    Note,
    Refusal,
    Segment,
)
from hilum.module import Input, Module

__all__ = [
    "Classification",
    "Finding",
    "HeatMap",
    "Input",
    "Measurement",
    "Module",
    "Note",
    "Refusal",
    "Segment",
    "Series",
    "codes",
]
