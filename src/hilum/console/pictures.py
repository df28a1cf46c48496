"""Pictures for pages."""

import io
from pathlib import Path

import pydicom
from PIL import Image


def picture_of(path: Path) -> bytes:
    """The Secondary Capture at `path`, one of Hilum's own, as PNG."""
    picture = io.BytesIO()
    Image.fromarray(pydicom.dcmread(path).pixel_array).save(picture, "PNG")
    return picture.getvalue()
