"""Lossless JPEG (ITU-T T.81, process 14, predictor 1), which no library here writes."""

import struct

import numpy as np
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGLosslessSV1

PRECISION = 16
CODE_LENGTH = 5  # bits, of each of the 17 categories of differences


def lossless_jpeg(dataset: Dataset) -> None:
    """Compress the 16 bit grey pixels of `dataset`."""
    pixels = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)
    dataset.PixelData = encapsulate([encoded(pixels)])
    dataset["PixelData"].VR = "OB"
    dataset["PixelData"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1


def encoded(pixels: np.ndarray) -> bytes:
    """`pixels`, uint16 (rows, columns), as a JPEG codestream."""
    rows, columns = pixels.shape
    frame = struct.pack(">BHHB3B", PRECISION, rows, columns, 1, 1, 0x11, 0)
    counts = bytes(PRECISION + 1 if length == CODE_LENGTH else 0 for length in range(1, 17))
    table = b"\0" + counts + bytes(range(PRECISION + 1))
    scan = bytes([1, 1, 0, 1, 0, 0])
    segments = ((0xC3, frame), (0xC4, table), (0xDA, scan))
    head = b"".join(
        struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content
        for marker, content in segments
    )
    return b"\xff\xd8" + head + _entropy_coded(pixels) + b"\xff\xd9"


def _entropy_coded(pixels: np.ndarray) -> bytes:
    predicted = np.empty(pixels.shape, np.int64)
    predicted[:, 1:] = pixels[:, :-1]
    predicted[1:, 0] = pixels[:-1, 0]
    predicted[0, 0] = 1 << (PRECISION - 1)
    bits = "".join(_code(int(d)) for d in (pixels.astype(np.int64) - predicted).ravel())
    bits += "1" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")


def _code(difference: int) -> str:
    """Category, then the bits within it; a negative difference is stored less one."""
    category = abs(difference).bit_length()
    text = f"{category:0{CODE_LENGTH}b}"
    if category:
        within = difference if difference > 0 else difference + (1 << category) - 1
        text += f"{within:0{category}b}"
    return text
