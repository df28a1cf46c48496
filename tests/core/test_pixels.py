"""Frames are decoded one at a time, and only when their codestream is what the header says."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from hilum.dicom import pixels
from hilum.dicom.codestream import JP2, JPEG, JPEG_2000, FrameSize, rle_sizes, size_of
from hilum.dicom.pixels import StoredFrames, require_size, stored_frame
from hilum.errors import MachineError, UnreadableError
from radiographs import by_dcmtk, film_at, radiograph, saved, scene
from tests.effort import lines_run, little_memory

FRAMES = np.stack([np.roll(scene(), 7 * turn, 1) for turn in range(5)])
LOSSLESS = {"JPEG 2000": JPEG2000Lossless, "JPEG-LS": JPEGLSLossless, "RLE": RLELossless}


def several(frames: np.ndarray = FRAMES, **attributes: object) -> Dataset:
    ds = radiograph(frames[0], InstanceNumber=12, **attributes)
    ds.NumberOfFrames, ds.PixelData = len(frames), frames.tobytes()
    return ds


def jpeg_segment(marker: int, content: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg(rows: int, columns: int, marker: int = 0xC0, components: int = 1) -> bytes:
    frame = struct.pack(">BHHB", 12, rows, columns, components) + b"\1\x11\0" * components
    scan = jpeg_segment(0xDA, b"\1\1\0\0\0\0")
    return JPEG + jpeg_segment(0xE0, b"JFIF\0") + jpeg_segment(marker, frame) + scan + bytes(100)


def jpeg_2000(rows: int, columns: int, components: int = 1) -> bytes:
    siz = (
        struct.pack(">H8LH", 0, columns, rows, 0, 0, columns, rows, 0, 0, components)
        + b"\x0b\1\1" * components
    )
    return JPEG_2000 + struct.pack(">H", len(siz) + 2) + siz + bytes(100)


def in_jp2(codestream: bytes) -> bytes:
    return JP2 + b"\r\n\x87\n" + struct.pack(">L4s", len(codestream) + 8, b"jp2c") + codestream


def rle(rows: int, columns: int) -> bytes:
    """Two segments of runs, 128 bytes each."""
    segment = b"\x81\0" * (rows * columns // 128)
    return struct.pack("<16L", 2, 64, 64 + len(segment), *[0] * 13) + segment * 2


CODESTREAMS: dict[str, tuple[str, Callable[[int, int], bytes]]] = {
    "JPEG baseline": (JPEGBaseline8Bit, jpeg),
    "JPEG lossless": (JPEGLosslessSV1, lambda rows, columns: jpeg(rows, columns, 0xC3)),
    "JPEG-LS": (JPEGLSLossless, lambda rows, columns: jpeg(rows, columns, 0xF7)),
    "JPEG 2000": (JPEG2000Lossless, jpeg_2000),
    "JPEG 2000 in its file format": (JPEG2000Lossless, lambda r, c: in_jp2(jpeg_2000(r, c))),
    "RLE": (RLELossless, rle),
}


def bomb(kind: str, rows: int = 46_000, columns: int = 46_000) -> Dataset:
    """A film of 96 x 80 pixels whose codestream says otherwise."""
    ds = radiograph(scene(), InstanceNumber=12)
    syntax, codestream = CODESTREAMS[kind]
    ds.file_meta.TransferSyntaxUID = syntax
    ds.PixelData = encapsulate([codestream(rows, columns)])
    return ds


@pytest.mark.parametrize("kind", CODESTREAMS)
def test_codestream_larger_than_the_header_says_is_not_decoded(kind: str, tmp_path: Path) -> None:
    rows = 8192 if kind == "RLE" else 46_000
    path = saved(bomb(kind, rows, rows), tmp_path / "bomb.dcm")
    with little_memory(), pytest.raises(UnreadableError, match=r"image 12: .*Rows") as raised:
        stored_frame(path, 1)
    assert "80" in str(raised.value) or "7680" in str(raised.value)
    assert film_at(path).picture is None


@pytest.mark.parametrize("kind", [kind for kind in CODESTREAMS if kind != "RLE"])
def test_size_is_read_from_every_codestream(kind: str) -> None:
    assert size_of(CODESTREAMS[kind][1](300, 200)) == FrameSize(300, 200, 1, 12)


@pytest.mark.parametrize("option", ["+eb", "+ee", "+es", "+ep", "+el", "+e1"])
def test_size_is_read_from_what_dcmtk_writes(option: str, tmp_path: Path) -> None:
    bits = 8 if option in ("+eb", "+es", "+ep") else 12
    plain = saved(radiograph(scene(bits), bits), tmp_path / "plain.dcm")
    with StoredFrames(by_dcmtk("dcmcjpeg", plain, option)) as stored:
        size = size_of(stored.encoded(1))
        assert size[:3] == (96, 80, 1)
        assert bits <= size.bits <= 16


def test_two_frame_headers_are_refused() -> None:
    twice = jpeg(96, 80)[:-110] + jpeg(46_000, 46_000)[2:]
    with pytest.raises(UnreadableError, match="2 frame headers"):
        size_of(twice)


@settings(max_examples=300)
@given(
    st.sampled_from(
        [JPEG, JPEG_2000, JP2, b"", *(make(96, 80) for _, make in CODESTREAMS.values())]
    ),
    st.binary(max_size=300),
    st.integers(0, 200),
)
def test_any_bytes_give_a_size_or_a_refusal(start: bytes, rest: bytes, cut: int) -> None:
    for content in (start + rest, start[:cut] + rest, start[:cut] + rest + start[cut + 1 :]):
        try:
            assert all(part >= 0 for part in size_of(content))
        except UnreadableError as error:
            assert len(str(error)) > 15
        try:
            assert all(0 <= size <= 1000 + 128 for size in rle_sizes(content, 1000))
        except UnreadableError as error:
            assert len(str(error)) > 15


@pytest.mark.parametrize("filler", [b"\xff", b"\xff\x01", b"\xff\xe0\0\2", b"\xff\xe0\0\0"])
def test_endless_segments_end_soon(filler: bytes) -> None:
    def work(count: int) -> int:
        def refused() -> None:
            with pytest.raises(UnreadableError, match="no end of segments"):
                size_of(JPEG + filler * count)

        return lines_run(refused)

    least = work(20_000)
    assert work(1_000_000) <= least


@pytest.mark.parametrize("kind", ["native", "one bit", *LOSSLESS])
@pytest.mark.parametrize("table", [True, False])
def test_every_frame_is_read_alone(kind: str, table: bool, tmp_path: Path) -> None:
    frames = FRAMES
    if kind == "one bit":
        frames = FRAMES % 2
        ds = several(frames.astype(np.uint8), BitsAllocated=1, BitsStored=1, HighBit=0)
        ds.PixelData = np.packbits(frames.ravel(), bitorder="little").tobytes()
    else:
        ds = several()
    if kind in LOSSLESS:
        ds.compress(LOSSLESS[kind], generate_instance_uid=False)
        if not table:
            with StoredFrames(saved(ds, tmp_path / "table.dcm")) as stored:
                encoded = [stored.encoded(number) for number in range(1, 6)]
            ds.PixelData = encapsulate(encoded, fragments_per_frame=2, has_bot=False)
    path = saved(ds, tmp_path / "frames.dcm")
    if kind == "RLE" and not table:  # nothing tells where such a frame begins
        with pytest.raises(UnreadableError, match="10 fragments"):
            stored_frame(path, 1)
        return
    with StoredFrames(path) as stored:
        assert stored.count == 5
        for number in (3, 1, 5, 2, 4):
            assert (stored.frame(number) == frames[number - 1]).all()
    with pytest.raises(UnreadableError, match="frame 6 of image 12: it has 5 frames"):
        stored_frame(path, 6)


def test_one_frame_of_many_costs_the_memory_of_one(tmp_path: Path) -> None:
    path = saved(several(), tmp_path / "large.dcm")
    assert stored_frame(path, 5).base is None or stored_frame(path, 5).nbytes == FRAMES[0].nbytes


WRONG: dict[str, tuple[dict[str, object], str]] = {
    "truncated": ({"PixelData": FRAMES.tobytes()[:-500]}, "PixelData have"),
    "too many frames": ({"NumberOfFrames": 6}, "PixelData have"),
    "too many rows": ({"Rows": 97}, "PixelData have"),
    "vast": ({"Rows": 60_000, "Columns": 60_000}, "Rows"),
    "in colour": ({"SamplesPerPixel": 3, "PixelData": FRAMES.tobytes() * 3}, "SamplesPerPixel"),
    "palette": ({"PhotometricInterpretation": "PALETTE COLOR"}, "PhotometricInterpretation"),
    "no rows": ({"Rows": None}, "Rows"),
    "bits": ({"BitsStored": 20}, "BitsStored"),
    "none": ({"PixelData": None}, "no pixels"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", WRONG)
def test_what_is_wrong_is_named(kind: str, tmp_path: Path) -> None:
    attributes, words = WRONG[kind]
    ds = several()
    for keyword, value in attributes.items():
        if value is None:
            delattr(ds, keyword)
        else:
            setattr(ds, keyword, value)
    with pytest.raises(UnreadableError, match=words) as raised:
        stored_frame(saved(ds, tmp_path / "wrong.dcm"), 1)
    assert "image 12" in str(raised.value)
    assert "Marker" not in str(raised.value)


def test_want_of_memory_is_not_the_fault_of_the_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ds = radiograph(scene(), InstanceNumber=12)
    ds.compress(JPEG2000Lossless, generate_instance_uid=False)
    path = saved(ds, tmp_path / "good.dcm")
    broken = path.read_bytes()
    place = broken.index(b"\xff\x4f\xff\x51") + 60
    other = tmp_path / "broken.dcm"
    other.write_bytes(broken[:place] + bytes(400) + broken[place + 400 :])
    with pytest.raises(UnreadableError, match="image 12"):
        stored_frame(other, 1)
    monkeypatch.setattr(pixels, "WORKING_BYTES", 1 << 60)
    assert (stored_frame(path, 1) == scene()).all()
    with pytest.raises(MachineError, match=r"image 12: .*memory"):
        stored_frame(other, 1)


def test_volume_beyond_any_scanner_is_refused() -> None:
    require_size(4096, 512, 512)
    with pytest.raises(UnreadableError, match="4097 x 512 x 512"):
        require_size(4097, 512, 512)
