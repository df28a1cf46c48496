"""What is stored is what comes out: one small image in each transfer syntax that is decoded here.

The encoders are independent of the decoders where there are any: DCMTK, CharLS, OpenJPEG, OpenJPH.
"""

from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import get_decoder, pixel_array
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEG2000Lossless,
    JPEG2000MCLossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

import hilum.dicom  # noqa: F401 - teaches pydicom the JPEG of 12 bit, and the lossless one
from hilum.errors import UnreadableError
from hilum.transport.dimse import TRANSFER_SYNTAXES
from radiographs import by_dcmtk, film_at, radiograph, saved, scene

Encoder = Callable[[Dataset, Path], Dataset]

DEPTHS = [(8, False), (8, True), (10, False), (12, False), (12, True), (16, False), (16, True)]


def dcmtk(program: str, *options: str) -> Encoder:
    def encode(ds: Dataset, folder: Path) -> Dataset:
        plain = saved(ds, folder / "plain.dcm")
        return pydicom.dcmread(by_dcmtk(program, plain, *options))

    return encode


def openjph(syntax: UID, **options: object) -> Encoder:
    def encode(ds: Dataset, folder: Path) -> Dataset:
        frame = bytes(imagecodecs.htj2k_encode(ds.pixel_array, **options))
        ds.PixelData = encapsulate([frame])
        ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
        ds.file_meta.TransferSyntaxUID = syntax
        return pydicom.dcmread(saved(ds, folder / "htj2k.dcm"))

    return encode


def openjpeg(ratio: int) -> Encoder:
    def encode(ds: Dataset, folder: Path) -> Dataset:
        ds.compress(JPEG2000, j2k_cr=[ratio], generate_instance_uid=False)
        return pydicom.dcmread(saved(ds, folder / "j2k.dcm"))

    return encode


LOSSLESS: dict[str, tuple[UID, Encoder]] = {
    **{
        f"JPEG lossless, selection value {value}": (
            JPEGLossless,
            dcmtk("dcmcjpeg", "+el", "+sv", str(value)),
        )
        for value in range(1, 8)
    },
    "JPEG lossless SV1": (JPEGLosslessSV1, dcmtk("dcmcjpeg", "+e1")),
    "JPEG-LS": (JPEGLSLossless, dcmtk("dcmcjpls", "+el")),
    "RLE": (RLELossless, dcmtk("dcmcrle")),
    "HTJ2K": (HTJ2KLossless, openjph(HTJ2KLossless)),
    "HTJ2K RPCL": (HTJ2KLosslessRPCL, openjph(HTJ2KLosslessRPCL)),
}


@pytest.mark.parametrize(("bits", "signed"), DEPTHS)
@pytest.mark.parametrize("encoding", LOSSLESS)
def test_lossless_is_exact(encoding: str, bits: int, signed: bool, tmp_path: Path) -> None:
    syntax, encode = LOSSLESS[encoding]
    pixels = scene(bits, signed)
    encoded = encode(radiograph(pixels, bits), tmp_path)
    assert encoded.file_meta.TransferSyntaxUID == syntax
    decoded = pixel_array(encoded)
    assert decoded.dtype.kind == pixels.dtype.kind
    assert (decoded == pixels).all()


def test_the_other_lossless_encoder_is_understood(tmp_path: Path) -> None:
    """OpenJPEG encodes what pydicom calls JPEG 2000 Lossless."""
    pixels = scene(16, True)
    ds = radiograph(pixels, 16)
    ds.compress(JPEG2000Lossless, generate_instance_uid=False)
    assert (pixel_array(ds) == pixels).all()


@pytest.mark.parametrize(
    ("syntax", "encode", "bits", "signed", "worst", "mean"),
    [  # the differences are shares of the range of values
        (JPEGBaseline8Bit, dcmtk("dcmcjpeg", "+eb", "+q", "95"), 8, False, 0.03, 0.008),
        (JPEGExtended12Bit, dcmtk("dcmcjpeg", "+ee", "+q", "95"), 8, False, 0.03, 0.008),
        (JPEGExtended12Bit, dcmtk("dcmcjpeg", "+ee", "+bt", "+q", "95"), 12, False, 0.03, 0.008),
        (JPEGLSNearLossless, dcmtk("dcmcjpls", "+en", "+md", "4"), 8, False, 0.017, 0.017),
        (JPEGLSNearLossless, dcmtk("dcmcjpls", "+en", "+md", "4"), 16, False, 7e-5, 7e-5),
        (JPEG2000, openjpeg(8), 12, False, 0.04, 0.008),
        (JPEG2000, openjpeg(8), 16, True, 0.04, 0.008),
        (HTJ2K, openjph(HTJ2K, reversible=False), 12, False, 0.03, 0.008),
    ],
    ids=lambda value: "encode" if callable(value) else str(value),
)
def test_lossy_is_close(
    syntax: UID,
    encode: Encoder,
    bits: int,
    signed: bool,
    worst: float,
    mean: float,
    tmp_path: Path,
) -> None:
    pixels = scene(bits, signed)
    encoded = encode(radiograph(pixels, bits), tmp_path)
    assert encoded.file_meta.TransferSyntaxUID == syntax
    off = np.abs(pixel_array(encoded).astype(float) - pixels) / 2**bits
    assert (off.max(), off.mean()) <= (worst, mean)
    assert off.mean() <= mean
    assert off.max() > 0  # or it was not lossy


COLOURS: dict[str, tuple[UID, Encoder, int]] = {
    "baseline": (JPEGBaseline8Bit, dcmtk("dcmcjpeg", "+eb", "+s4", "+q", "95"), 12),
    "extended": (JPEGExtended12Bit, dcmtk("dcmcjpeg", "+ee", "+s4", "+q", "95"), 12),
    "lossless": (JPEGLossless, dcmtk("dcmcjpeg", "+el"), 0),
    "lossless, as YBR": (JPEGLossless, dcmtk("dcmcjpeg", "+el", "+cy"), 3),
    "JPEG-LS": (JPEGLSLossless, dcmtk("dcmcjpls", "+el"), 0),
    "RLE": (RLELossless, dcmtk("dcmcrle"), 0),
}


@pytest.mark.parametrize("encoding", COLOURS)
def test_colours_are_those_of_the_original(encoding: str, tmp_path: Path) -> None:
    syntax, encode, most = COLOURS[encoding]
    grey = scene(8)
    pixels = np.stack([grey, grey[::-1], np.full_like(grey, 40)], axis=-1)
    ds = radiograph(
        pixels,
        8,
        SamplesPerPixel=3,
        PhotometricInterpretation="RGB",
        PlanarConfiguration=0,
    )
    encoded = encode(ds, tmp_path)
    assert encoded.file_meta.TransferSyntaxUID == syntax
    assert np.abs(pixel_array(encoded).astype(int) - pixels).max() <= most


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.99])
@pytest.mark.parametrize(
    "options", [("+e1",), ("+el",), ("+ee",), ("+eb", "+be")], ids=lambda options: options[0]
)
def test_a_frame_that_is_cut_off_is_refused_not_made_up(
    options: tuple[str, ...], kept: float, tmp_path: Path
) -> None:
    bits = 8 if "+eb" in options else 12
    encoded = dcmtk("dcmcjpeg", *options)(radiograph(scene(bits), bits), tmp_path)
    frame = next(generate_frames(encoded.PixelData, number_of_frames=1))
    encoded.PixelData = encapsulate([frame[: int(len(frame) * kept)]])
    with pytest.raises(
        UnreadableError, match=r"pixels (cannot be decoded|end within their header)"
    ):
        film_at(saved(encoded, tmp_path / "cut.dcm")).values()


def test_all_accepted_syntaxes_of_still_images_are_decoded() -> None:
    """The rest is video, and JPEG 2000 Part 2: it is kept, and refused in words."""
    accepted = map(UID, TRANSFER_SYNTAXES)
    undecoded = {syntax for syntax in accepted if not _is_decoded(syntax)}
    still = {syntax for syntax in undecoded if not {"MPEG", "HEVC", "SMPTE"} & _words(syntax)}
    assert {syntax.name.rpartition(" Multi")[0] for syntax in still} == {"JPEG 2000 Part 2"}
    assert JPEG2000MCLossless in still


def _words(syntax: UID) -> set[str]:
    return {word.partition("/")[0].rstrip("24-") for word in syntax.name.split()}


def _is_decoded(syntax: UID) -> bool:
    try:
        return get_decoder(syntax).is_available
    except NotImplementedError:
        return False
