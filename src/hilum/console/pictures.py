"""Pictures of results, and to which series a file belongs."""

import io
from functools import lru_cache
from pathlib import Path

import pydicom
from PIL import Image

from hilum.dicom.instance import Instance
from hilum.errors import UnreadableError


def picture_of(path: Path) -> bytes:
    """The Secondary Capture at `path`, one of Hilum's own, as PNG."""
    picture = io.BytesIO()
    Image.fromarray(pydicom.dcmread(path).pixel_array).save(picture, "PNG")
    return picture.getvalue()


def series_of(path: Path) -> str:
    """The Series Instance UID of the received image at `path`; "" if it cannot be read."""
    try:
        return _series_uid(path, path.stat().st_mtime_ns)
    except (FileNotFoundError, UnreadableError):
        return ""


@lru_cache(5000)
def _series_uid(path: Path, _changed: int) -> str:
    return Instance.read(path).series_uid
