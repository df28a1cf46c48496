"""JPEG of 12 bit and lossless JPEG (PS3.5 10.3 and 10.4), decoded as a plug-in of pydicom.

Pillow decodes the other JPEG frames; the library below is the same, libjpeg-turbo.
"""

from imagecodecs import jpeg8_decode
from pydicom.pixels.decoders.base import (
    DecodeRunner,
    JPEGExtended12BitDecoder,
    JPEGLosslessDecoder,
    JPEGLosslessSV1Decoder,
)

DECODERS = (JPEGExtended12BitDecoder, JPEGLosslessDecoder, JPEGLosslessSV1Decoder)

START_OF_SCAN, END_OF_IMAGE = b"\xff\xda", b"\xff\xd9"  # markers do not occur in coded samples


def register() -> None:
    """Let pydicom decode with this module, wherever pixels are asked for."""
    for decoder in DECODERS:
        decoder.add_plugin("libjpeg-turbo", (__name__, decode_frame.__name__))


def is_available(uid: str) -> bool:
    """Whether frames of the transfer syntax `uid` are decoded here; pydicom asks."""
    return uid in {decoder.UID for decoder in DECODERS}


def decode_frame(source: bytes, runner: DecodeRunner) -> bytes:
    """The samples of one frame: colour by pixel, 8 or 16 bit each, in the colours of the frame.

    Raises
    ------
    ValueError
        The frame is cut off; libjpeg-turbo would make up what is missing.
    imagecodecs.Jpeg8Error
        The bytes are no JPEG frame.
    """
    if END_OF_IMAGE not in source[max(source.rfind(START_OF_SCAN), 0) :]:
        raise ValueError("the JPEG frame is cut off")
    colours = "RGB" if runner.samples_per_pixel == 3 else None  # the same twice: left as they are
    pixels = jpeg8_decode(source, colorspace=colours, outcolorspace=colours)
    runner.set_option("bits_allocated", 8 * pixels.itemsize)
    runner.set_option("planar_configuration", 0)
    return pixels.tobytes()
