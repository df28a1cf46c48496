"""The pixels of a film are what a reader sees, whatever their encoding; hostile ones fail well."""

from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from hilum.dicom.film import Film
from hilum.dicom.instance import Instance
from hilum.errors import DicomError, MachineError, UnreadableError
from radiographs import by_dcmtk, film, film_at, radiograph, saved, scene

DEPTHS = [(8, False), (10, False), (12, False), (14, False), (15, False), (16, False), (12, True)]
LOSSLESS_BY_DCMTK = {
    "implicit": ("dcmconv", "+ti"),
    "big endian": ("dcmconv", "+tb"),
    "deflated": ("dcmconv", "+td"),
    "JPEG lossless": ("dcmcjpeg", "+el"),
    "JPEG lossless SV1": ("dcmcjpeg", "+e1"),
    "JPEG-LS": ("dcmcjpls",),
    "RLE": ("dcmcrle",),
}


def lut(table: np.ndarray, first: int = 0, bits: int = 16, count: int | None = None) -> Sequence:
    item = Dataset()
    descriptor = [(count or len(table)) % 2**16, first, bits]
    item.add_new("LUTDescriptor", "US" if first >= 0 else "SS", descriptor)
    item.add_new("LUTData", "OW", np.asarray(table, "<u2").tobytes())
    return Sequence([item])


@pytest.mark.parametrize(("bits", "signed"), [*DEPTHS, (16, True)])
@pytest.mark.parametrize("syntax", [JPEG2000Lossless, JPEGLSLossless, RLELossless], ids=str)
def test_compression_by_pydicom_changes_nothing(
    bits: int, signed: bool, syntax: str, tmp_path: Path
) -> None:
    pixels = scene(bits, signed)
    ds = radiograph(pixels, bits)
    ds.compress(syntax, generate_instance_uid=False)
    assert (film(ds, tmp_path).values() == pixels).all()


@pytest.mark.parametrize(("bits", "signed"), DEPTHS)
@pytest.mark.parametrize("encoding", LOSSLESS_BY_DCMTK)
def test_encoding_by_dcmtk_changes_nothing(
    bits: int, signed: bool, encoding: str, tmp_path: Path
) -> None:
    pixels = scene(bits, signed)
    plain = saved(radiograph(pixels, bits), tmp_path / "plain.dcm")
    program, *options = LOSSLESS_BY_DCMTK[encoding]
    assert (film_at(by_dcmtk(program, plain, *options)).values() == pixels).all()


@pytest.mark.parametrize(("option", "bits"), [("+eb", 8), ("+ee", 12)])
def test_lossy_jpeg_is_close(option: str, bits: int, tmp_path: Path) -> None:
    pixels = scene(bits)
    plain = saved(radiograph(pixels, bits), tmp_path / "plain.dcm")
    values = film_at(by_dcmtk("dcmcjpeg", plain, option, "+q", "95")).values()
    assert np.abs(values - pixels).mean() < 0.02 * 2**bits


def test_monochrome1_is_inverted_once_and_after_the_window(tmp_path: Path) -> None:
    pixels = scene()
    window = {"WindowCenter": 1500, "WindowWidth": 3200}
    direct = film(radiograph(pixels, **window), tmp_path).values()
    for shape in ({}, {"PresentationLUTShape": "INVERSE"}, {"PresentationLUTShape": "IDENTITY"}):
        other = radiograph(pixels, PhotometricInterpretation="MONOCHROME1", **window, **shape)
        np.testing.assert_allclose(film(other, tmp_path).values(), 1 - direct, atol=1e-6)
    inverse = radiograph(pixels, PresentationLUTShape="INVERSE", **window)
    np.testing.assert_allclose(film(inverse, tmp_path).values(), 1 - direct, atol=1e-6)


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
def test_windows_follow_the_formulas_of_the_standard(function: str, tmp_path: Path) -> None:
    x = np.arange(900, 1101)
    ds = radiograph(x.astype(np.uint16)[None], VOILUTFunction=function)
    ds.WindowCenter, ds.WindowWidth = 1000, 110
    expected = {  # PS3.3 C.11.2.1.2.1, C.11.2.1.3.2, C.11.2.1.3.1
        "LINEAR": np.clip((x - 999.5) / 109 + 0.5, 0, 1),
        "LINEAR_EXACT": np.clip((x - 1000) / 110 + 0.5, 0, 1),
        "SIGMOID": 1 / (1 + np.exp(-4 * (x - 1000) / 110)),
    }
    np.testing.assert_allclose(film(ds, tmp_path).values()[0], expected[function], atol=1e-6)


def test_of_several_windows_the_first_counts(tmp_path: Path) -> None:
    pixels = scene()
    one = radiograph(pixels, WindowCenter=2000, WindowWidth=3000)
    several = radiograph(pixels, WindowCenter=[2000, 40], WindowWidth=[3000, 80])
    assert (film(one, tmp_path).values() == film(several, tmp_path).values()).all()


@pytest.mark.parametrize("window", [(40, 400), (40, 0), (40, -5), (90000, 10)])
def test_absurd_window_is_ignored_and_says_so(window: tuple[int, int], tmp_path: Path) -> None:
    pixels = scene()
    ds = radiograph(pixels, WindowCenter=window[0], WindowWidth=window[1])
    shown = film(ds, tmp_path).presentation()
    assert (shown.values == pixels).all()
    assert shown.ignored is not None
    assert "window" in shown.ignored
    assert film(radiograph(pixels), tmp_path).presentation().ignored is None


def test_saturated_background_does_not_make_a_window_absurd(tmp_path: Path) -> None:
    pixels = scene()
    pixels[:, :50] = 0  # shutters over more than half of the film
    shown = film(radiograph(pixels, WindowCenter=2000, WindowWidth=3600), tmp_path).presentation()
    assert shown.ignored is None


def test_voi_lut_goes_before_the_window(tmp_path: Path) -> None:
    pixels = scene()
    table = (np.linspace(0, 1, 4096) ** 2 * 65535).round()
    ds = radiograph(pixels, VOILUTSequence=lut(table), WindowCenter=40, WindowWidth=1)
    values = film(ds, tmp_path).values()
    np.testing.assert_allclose(values, table[pixels] / 65535, atol=1e-6)


@pytest.mark.parametrize("option", ["+ti", "+tb"])
def test_voi_lut_in_other_byte_orders(option: str, tmp_path: Path) -> None:
    pixels = scene()
    table = (np.linspace(0, 1, 4096) ** 2 * 65535).round()
    plain = saved(radiograph(pixels, VOILUTSequence=lut(table)), tmp_path / "plain.dcm")
    values = film_at(by_dcmtk("dcmconv", plain, option)).values()
    np.testing.assert_allclose(values, table[pixels] / 65535, atol=1e-6)


def test_lut_beyond_its_ends_and_with_a_signed_start(tmp_path: Path) -> None:
    pixels = scene(12, signed=True)
    table = np.arange(2000)
    ds = radiograph(pixels, ModalityLUTSequence=lut(table, first=-1000, bits=12))
    expected = np.clip(pixels.astype(int) + 1000, 0, 1999)
    assert (film(ds, tmp_path).values() == expected).all()


def test_eight_bit_lut_of_many_entries(tmp_path: Path) -> None:
    pixels = scene()
    table = np.arange(4096) // 16
    packed = lut(table, bits=8)
    packed[0].LUTData = table.astype(np.uint8).tobytes()
    for sequence in (lut(table, bits=8), packed):
        values = film(radiograph(pixels, VOILUTSequence=sequence), tmp_path).values()
        np.testing.assert_allclose(values, table[pixels] / 255, atol=1e-6)


def test_rescale_goes_before_the_window(tmp_path: Path) -> None:
    pixels = scene()
    ds = radiograph(
        pixels, RescaleSlope=0.5, RescaleIntercept=-100, WindowCenter=900, WindowWidth=2000
    )
    expected = np.clip((pixels * 0.5 - 100 - 899.5) / 1999 + 0.5, 0, 1)
    np.testing.assert_allclose(film(ds, tmp_path).values(), expected, atol=1e-6)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_padding_at_the_edge_becomes_dark_and_within_stays(
    photometric: str, tmp_path: Path
) -> None:
    pixels = scene(12, signed=True).clip(-1500, 2000)
    pixels[:, :7] = -2000
    pixels[40, 40] = -2000
    ds = radiograph(pixels, PhotometricInterpretation=photometric)
    ds.add_new("PixelPaddingValue", "US", 2**16 - 2000)  # its sign lost
    values = film(ds, tmp_path).values()
    plain = film(radiograph(pixels, PhotometricInterpretation=photometric), tmp_path).values()
    assert (values[:, 7:] == plain[:, 7:]).all()
    assert (values[:, :7] == values[:, 7:].min()).all()


def test_padding_range(tmp_path: Path) -> None:
    pixels = scene().clip(20, None)
    pixels[:5] = np.arange(80) % 16
    ds = radiograph(pixels, PixelPaddingValue=0, PixelPaddingRangeLimit=15)
    assert (film(ds, tmp_path).values()[:5] == 20).all()


def test_overlay_in_the_high_bits_is_not_seen(tmp_path: Path) -> None:
    pixels = scene(12)
    assert (film(radiograph(pixels | 0xA000, 12), tmp_path).values() == pixels).all()
    assert (film(radiograph(pixels << 4 | 0xB, 12, HighBit=15), tmp_path).values() == pixels).all()


def test_depth_is_kept(tmp_path: Path) -> None:
    values = film(radiograph(scene(16), 16), tmp_path).values()
    assert values.dtype == np.float32
    assert (values == scene(16)).all()


@pytest.mark.parametrize("name", ["山田^太郎", "نزار^قباني", "Ångström^Åsa"])
def test_names_in_any_script_and_the_longest_uids(name: str, tmp_path: Path) -> None:
    uid = "2.25." + "9" * 59
    ds = radiograph(scene(15), 15, PatientName=name, SOPInstanceUID=uid, StudyInstanceUID=uid)
    ds.compress(JPEG2000Lossless, generate_instance_uid=False)
    read = film(ds, tmp_path)
    assert (read.values() == scene(15)).all()
    assert (len(read.uid), str(read.header.PatientName)) == (64, name)


def test_japanese_name_in_iso_2022(tmp_path: Path) -> None:
    ds = radiograph(
        scene(), SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName="Yamada^Tarou=山田^太郎"
    )
    assert "山田" in str(film(ds, tmp_path).header.PatientName)


@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("way", ["window", "VOI LUT", "JPEG 2000 decoded"])
def test_dcmtk_renders_the_same(photometric: str, way: str, tmp_path: Path) -> None:
    ds = radiograph(scene(14), 14, PhotometricInterpretation=photometric)
    option = {"window": ["+Wi", "1"], "VOI LUT": ["+Wl", "1"]}.get(way, ["+Wm"])
    if way == "window":
        ds.WindowCenter, ds.WindowWidth = 8000, 12000
    if way == "VOI LUT":
        ds.VOILUTSequence = lut((np.linspace(0, 1, 2**14) ** 2 * 65535).round())
    path = saved(ds, tmp_path / "plain.dcm")
    with Image.open(by_dcmtk("dcm2pnm", path, *option, "+on", suffix=".png")) as picture:
        rendered = np.asarray(picture.convert("L"), float)
    values = film_at(path).values()
    values = (values - values.min()) / np.ptp(values) * 255
    assert np.abs(values - rendered).max() <= 1.01  # of 255 grey levels


@pytest.mark.filterwarnings("ignore:Invalid value for VR AS")
def test_age(tmp_path: Path) -> None:
    def age(**attributes: object) -> float | None:
        return film(radiograph(scene(), **attributes), tmp_path).age

    assert age() == pytest.approx(56, abs=0.01)
    assert age(PatientAge="017Y") == 17
    assert age(PatientAge="018M") == 1.5
    assert age(PatientAge="216M") == 18
    assert age(PatientBirthDate="20000229", StudyDate="20180228") == 17
    assert age(PatientBirthDate="20000229", StudyDate="20180301") == 18
    assert age(PatientBirthDate="20200101", StudyDate="20180301") is None
    assert age(PatientAge="5Y") == 5
    assert age(PatientAge="05Y") == 5
    assert age(PatientAge="0Y") == pytest.approx(56, abs=0.01)
    assert age(PatientAge="055Y", PatientBirthDate="20160101") == 10
    assert age(PatientAge="005Y", PatientBirthDate="18000101") == 5
    assert age(PatientAge="000Y") == pytest.approx(56, abs=0.01)
    assert age(PatientBirthDate="") is None
    assert age(PatientBirthDate="18000101") is None
    assert age(PatientAge="", PatientBirthDate="20200101") == pytest.approx(6, abs=0.01)


@pytest.mark.parametrize(
    ("problem", "attributes"),
    [
        ("several frames", {"NumberOfFrames": 2}),
        ("in colour", {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}),
        ("shades of grey", {"PhotometricInterpretation": "PALETTE COLOR"}),
        ("no pixels", {"Rows": None, "Columns": None, "PixelData": None}),
    ],
)
def test_what_is_no_grey_film_is_named(
    problem: str, attributes: dict[str, object], tmp_path: Path
) -> None:
    read = film(radiograph(scene(), **attributes), tmp_path)
    assert read.problem is not None
    assert problem in read.problem
    with pytest.raises(UnreadableError, match=problem):
        read.values()


def coloured(frames: int = 1) -> Dataset:
    pixels = np.repeat(scene(8)[None, ..., None], 3, axis=-1).repeat(frames, axis=0)
    ds = radiograph(pixels[0], 8, SamplesPerPixel=3, PlanarConfiguration=0)
    ds.PhotometricInterpretation, ds.NumberOfFrames = "RGB", frames
    ds.PixelData = pixels.tobytes()
    return ds


def test_picture_of_what_is_no_grey_film_is_its_first_frame(tmp_path: Path) -> None:
    ds = coloured(frames=3)
    later = bytearray(ds.PixelData)
    later[len(later) // 3 :] = bytes(len(later) - len(later) // 3)
    ds.PixelData = bytes(later)
    grey = film(radiograph(scene(8), 8), tmp_path).picture
    shown = film(ds, tmp_path).picture
    assert shown is not None
    assert (shown == grey).all()
    ds.NumberOfFrames = 30_000
    assert film(ds, tmp_path).picture is None


@pytest.mark.filterwarnings("ignore")
def test_corrupt_compressed_colour_has_no_picture(tmp_path: Path) -> None:
    ds = coloured()
    ds.compress(JPEG2000Lossless, generate_instance_uid=False)
    content = saved(ds, tmp_path / "film.dcm").read_bytes()
    start = content.index(b"\xff\x4f\xff\x51")  # SOC, SIZ
    (tmp_path / "film.dcm").write_bytes(
        content[: start + 8] + b"\xff" * 400 + content[start + 408 :]
    )
    read = film_at(tmp_path / "film.dcm")
    with pytest.raises(RuntimeError):
        read.instance.dataset().pixel_array  # noqa: B018
    assert read.picture is None


def test_pixels_are_decoded_once(tmp_path: Path) -> None:
    read = film(radiograph(scene()), tmp_path)
    read.values()
    read.instance.path.unlink()
    assert read.picture is not None
    assert read.picture.shape == (900, 750)


PLAIN = scene().tobytes()
BROKEN: dict[str, dict[str, object]] = {
    "truncated": {"PixelData": PLAIN[:-500]},
    "empty": {"PixelData": b""},
    "too many rows": {"Rows": 5000},
    "vast": {"Rows": 65535, "Columns": 65535},
    "more bits stored than allocated": {"BitsStored": 20},
    "bits not said": {"BitsAllocated": None},
    "short LUT": {"VOILUTSequence": lut(np.arange(100), count=4096)},
    "deep LUT": {"VOILUTSequence": lut(np.arange(4096), bits=99)},
    "empty LUT": {"ModalityLUTSequence": Sequence([Dataset()])},
    "slope of 0": {"RescaleSlope": 0, "RescaleIntercept": 0},
    "nothing but padding": {"PixelData": bytes(len(PLAIN)), "PixelPaddingValue": 0},
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", BROKEN)
def test_broken_film_says_so_plainly(name: str, tmp_path: Path) -> None:
    says_so_plainly(film(radiograph(scene(), **BROKEN[name]), tmp_path))


def says_so_plainly(read: Film) -> None:
    with pytest.raises(UnreadableError) as raised:
        read.values()
    assert len(str(raised.value)) > 15
    assert "Marker" not in str(raised.value)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.9", "1.2.3.4"])
def test_syntax_without_a_decoder_says_so_plainly(syntax: str, tmp_path: Path) -> None:
    ds = radiograph(scene())
    ds.compress(RLELossless, generate_instance_uid=False)
    path = saved(ds, tmp_path / "film.dcm")
    content = path.read_bytes()
    old = f"{RLELossless}\0".encode()
    assert content.count(old) == 1
    path.write_bytes(content.replace(old, syntax[: len(old)].encode().ljust(len(old), b"\0")))
    says_so_plainly(film_at(path))


SYNTAXES = {
    "plain": None,
    "rle": RLELossless,
    "j2k": JPEG2000Lossless,
    "jls": JPEGLSLossless,
    "deflated": DeflatedExplicitVRLittleEndian,
}


@cache
def undamaged(kind: str) -> bytes:
    """The bytes of a film that has everything that could be damaged."""
    ds = radiograph(scene(), VOILUTSequence=lut(np.arange(4096)), PatientAge="050Y")
    ds.PixelPaddingValue, ds.RescaleSlope, ds.RescaleIntercept = 0, 1, 0
    if kind == "deflated":
        ds.file_meta.TransferSyntaxUID = SYNTAXES[kind]
    elif kind != "plain":
        ds.compress(SYNTAXES[kind], generate_instance_uid=False)
    file = BytesIO()
    ds.save_as(file, enforce_file_format=True)
    return file.getvalue()


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(list(SYNTAXES)),
    st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=8),
    st.one_of(st.just(1.0), st.floats(0.05, 1.0)),
)
def test_damaged_bytes_never_raise_anything_else(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    changes: list[tuple[float, int]],
    kept: float,
) -> None:
    content = bytearray(undamaged(kind))
    for place, value in changes:
        content[132 + int(place * min(1500, len(content) - 132))] = value
    path = tmp_path_factory.getbasetemp() / "damaged.dcm"
    path.write_bytes(content[: int(kept * len(content))])
    try:
        read = film_at(path)
        assert isinstance(read.problem, str | None)
        assert read.age is None or read.age >= 0
        assert isinstance(read.acquired, str)
        assert read.picture is None or read.picture.dtype == np.uint8
        assert np.isfinite(read.values()).all()
    except DicomError as error:
        assert str(error)


def test_file_that_vanished_is_no_fault_of_its_bytes(tmp_path: Path) -> None:
    path = saved(radiograph(scene()), tmp_path / "gone.dcm")
    read = Instance.read(path)
    path.unlink()
    with pytest.raises(MachineError, match="cannot be read"):
        Film(read).values()


def test_original_stays_as_it_is(tmp_path: Path) -> None:
    path = saved(radiograph(scene()), tmp_path / "same.dcm")
    before = path.read_bytes()
    film_at(path).values()
    assert path.read_bytes() == before
    assert pydicom.dcmread(path).BitsStored == 12


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("slope", [None, "", 2])
@pytest.mark.parametrize("intercept", [None, "", -100])
def test_each_of_slope_and_intercept_has_its_usual_value_where_it_is_not_stated(
    slope: object, intercept: object, tmp_path: Path
) -> None:
    ds = radiograph(scene())
    for keyword, value in (("RescaleSlope", slope), ("RescaleIntercept", intercept)):
        if value is not None:
            setattr(ds, keyword, value)
    np.testing.assert_allclose(
        film(ds, tmp_path).values(), scene().astype(float) * (slope or 1) + (intercept or 0)
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("keyword", "value"),
    [("RescaleSlope", b"0 "), ("RescaleSlope", b"nan "), ("RescaleIntercept", b"1,0 ")],
)
def test_slope_or_intercept_that_cannot_be_used_is_named(
    keyword: str, value: bytes, tmp_path: Path
) -> None:
    marked = saved(radiograph(scene(), **{keyword: 7.5}), tmp_path / "film.dcm")
    content = marked.read_bytes()
    tag = {"RescaleSlope": b"\x28\0\x53\x10", "RescaleIntercept": b"\x28\0\x52\x10"}[keyword]
    start = content.index(tag) + 4
    value = value.ljust(4)
    marked.write_bytes(
        content[:start] + b"DS" + len(value).to_bytes(2, "little") + value + content[start + 8 :]
    )
    with pytest.raises(UnreadableError, match=keyword):
        film_at(marked).values()
