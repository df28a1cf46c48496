"""Draws one received image, in a process of its own (`thumbnails.py`)."""

import io
import resource
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pydicom
from PIL import Image

from hilum.dicom.pixels import stored_frame
from hilum.dicom.rendering import rendered
from hilum.logs import speak_alone
from hilum.process import data_bytes, die_with_parent

SIDE = 160  # pixels of the longer side: twice what pages show, for fine displays
SECONDS, MEMORY = 20, 2 << 30  # for one picture


def draw(path: Path, sending: Connection) -> None:
    """Send the picture of the image at `path` as PNG; end without where it cannot be drawn."""
    die_with_parent()
    speak_alone()
    memory = data_bytes() + MEMORY  # what is loaded now is not counted
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    with suppress(Exception):  # whatever is wrong with what was received: it has no picture
        sending.send_bytes(picture_of(path))


def picture_of(path: Path) -> bytes:
    """The middle frame of the image at `path` as a small PNG."""
    header = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    middle = int(header.get("NumberOfFrames") or 1) // 2 + 1
    values = stored_frame(path, middle).astype(np.float32)
    dense = -values if header.get("PhotometricInterpretation") == "MONOCHROME1" else values
    image = Image.fromarray(rendered(dense, header))
    image.thumbnail((SIDE, SIDE))
    picture = io.BytesIO()
    image.save(picture, "PNG")
    return picture.getvalue()
