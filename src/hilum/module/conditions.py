"""What a module may ask of the headers of a series, beside its modality and its grid."""

from collections.abc import Iterator, Mapping
from enum import StrEnum

import numpy as np
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset

from hilum.config.patterns import compiled, matches
from hilum.dicom.header import text_of
from hilum.dicom.identity import PATIENT_AND_STUDY
from hilum.dicom.series import Series

LONGEST_VALUE = 1024  # characters that patterns are compared with
NO_AGENT = ("", "NONE", "NO", "N", "NIL", "NO CONTRAST", "WITHOUT")  # as devices write it


class Orientation(StrEnum):
    """The plane of the patient's body that slices come nearest to."""

    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


_BY_NORMAL = (Orientation.SAGITTAL, Orientation.CORONAL, Orientation.AXIAL)  # along x, y, z (LPS)


def require_patterns(header: Mapping[str, str]) -> None:
    """Raise `ValueError` for what is no DICOM keyword, or no pattern that is sure to end."""
    for keyword, pattern in header.items():
        if tag_for_keyword(keyword) is None:
            raise ValueError(f"{keyword!r} is no DICOM keyword")
        compiled(pattern)


def mismatches(series: Series, header: Mapping[str, str], asking: str) -> Iterator[str]:
    """Each attribute of `series` that its pattern is not found in; `asking` is who wants it."""
    for keyword, pattern in header.items():
        value = series.header.text(keyword, LONGEST_VALUE)
        if not matches(pattern, value):
            # values of patient attributes never reach a record
            shown = "does not match" if keyword in PATIENT_AND_STUDY else f"is {value[:64]!r}"
            yield f"{keyword} {shown}, {asking} asks for {pattern!r}"


def contrast_agent(header: Dataset) -> str:
    """The contrast agent that the header names; "" if none was given, or none is stated."""
    agent = text_of(header, "ContrastBolusAgent").strip()
    if agent.upper() not in NO_AGENT:
        return agent
    return "an agent" if header.get("ContrastBolusAgentSequence") else ""


def wrong_contrast(series: Series, is_wanted: bool) -> Iterator[str]:
    """Whether a contrast agent was given against what the module needs, or was not."""
    agent = contrast_agent(series.header)
    if agent and not is_wanted:
        yield "the header names a contrast agent, module needs images without one"
    elif is_wanted and not agent:
        yield "the header names no contrast agent, module needs images with one"


def orientation_of(series: Series) -> Orientation | None:
    """The plane that the slices come nearest to; None if their direction is not stated."""
    stated = series.frames[0].orientation if series.frames else None
    if stated is None:
        return None
    normal = np.cross(stated[:3], stated[3:])
    return _BY_NORMAL[int(np.abs(normal).argmax())]


def wrong_orientation(series: Series, wanted: Orientation) -> Iterator[str]:
    """Whether the slices lie in another plane than the module needs."""
    found = orientation_of(series)
    if found is not wanted:
        yield f"orientation is {found or 'not stated'}, module needs {wanted}"
