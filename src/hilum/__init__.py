"""Hilum: the AI gateway for the hospital imaging network. What a module author imports."""

from hilum import silence  # noqa: F401 - before any library that would call home
from hilum.dicom import codes
from hilum.dicom.film import Film
from hilum.dicom.series import Series
from hilum.findings import (
    Classification,
    Finding,
    HeatMap,
    Measurement,
    Note,
    Refusal,
    Score,
    Segment,
)
from hilum.module import Films, Input, Module

__all__ = [
    "Classification",
    "Film",
    "Films",
    "Finding",
    "HeatMap",
    "Input",
    "Measurement",
    "Module",
    "Note",
    "Refusal",
    "Score",
    "Segment",
    "Series",
    "codes",
]
