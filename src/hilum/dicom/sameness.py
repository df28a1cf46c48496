"""Whether two files hold the same image, whatever patient and study they name.

Archives transcode images and write headers anew, so files are never compared, but what the images
show and where: their frames' geometry, Frame of Reference, decoded pixels and their scale.
"""

from itertools import zip_longest
from pathlib import Path

import numpy as np

from hilum.dicom.frames import Frame
from hilum.dicom.header import text_of
from hilum.dicom.instance import Instance
from hilum.dicom.pixels import StoredFrames

TOLERANCE = 1e-4  # mm, or of a cosine: numbers are written anew with fewer digits
AS_STATED = ("Modality", "RescaleSlope", "RescaleIntercept", "BitsStored", "PixelRepresentation")


def difference(one: Path, other: Path) -> str:
    """What differs between the images of two files, in a word for a person; "" if nothing does.

    Decodes pixels: to be called in a process of its own. Raises `UnreadableError`.
    """
    first, second = Instance.read(one), Instance.read(other)
    if first.uids["SOPClassUID"] != second.uids["SOPClassUID"]:
        return "SOP class"
    if any(_stated(first, keyword) != _stated(second, keyword) for keyword in AS_STATED):
        return "pixel values"
    if first.frame_of_reference != second.frame_of_reference:
        return "Frame of Reference"
    frames = list(zip_longest(first.frames, second.frames))
    if not all(a and b and _is_same_place(a, b) for a, b in frames):
        return "geometry"
    if any(_scale(a) != _scale(b) for a, b in zip(first.frames, second.frames, strict=True)):
        return "pixel values"
    return _difference_of_pixels(one, other, len(frames))


def _difference_of_pixels(one: Path, other: Path, count: int) -> str:
    """As `difference`, of `count` frames whose headers say the same."""
    with StoredFrames(one) as mine, StoredFrames(other) as theirs:
        if mine.header.get("ModalityLUTSequence") != theirs.header.get("ModalityLUTSequence"):
            return "pixel values"
        for number in range(1, count + 1):
            if not np.array_equal(mine.frame(number), theirs.frame(number)):
                return "pixels"
    return ""


def _stated(image: Instance, keyword: str) -> float | str:
    """A number by its value: "1" and "1.0" are the same."""
    text = text_of(image.header, keyword)
    try:
        return float(text)
    except ValueError:
        return text


def _scale(frame: Frame) -> tuple[float, float]:
    """Enhanced objects state it for each frame."""
    return frame.rescale.slope, frame.rescale.intercept


def _is_same_place(one: Frame, other: Frame) -> bool:
    if one.size != other.size:
        return False
    places = (
        (one.position, other.position),
        (one.orientation, other.orientation),
        (one.pixel_spacing, other.pixel_spacing),
    )
    return all(
        a is b if a is None or b is None else np.allclose(a, b, rtol=0, atol=TOLERANCE)
        for a, b in places
    )
