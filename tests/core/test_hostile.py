"""Whatever a header holds, it ends as a verdict with a reason: no exception, no hang, no memory."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.uid import ExplicitVRLittleEndian, JPEG2000Lossless, MRImageStorage

from factory import instances, mr_slices
from hilum.config.site import Rule
from hilum.dicom import structure
from hilum.dicom.film import Film
from hilum.dicom.header import LARGEST_ELEMENT, LARGEST_HEADER, identify
from hilum.dicom.identity import attributes
from hilum.dicom.instance import Instance
from hilum.dicom.part10 import prefix
from hilum.dicom.structure import DEEPEST, LONG_VRS, MOST_ELEMENTS, MOST_OUTERMOST, UNDEFINED
from hilum.dicom.uids import is_uid
from hilum.errors import UnreadableError
from hilum.module import Films, Input
from hilum.study.arrival import Arrival
from hilum.study.assembly import decide
from hilum.study.routing import applies
from tests.effort import lines_run, little_memory

pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning:pydicom")

VOLUME = Input(
    "MR", (MRImageStorage,), slice_spacing=(0.5, 2), pixel_spacing=(0.5, 2), extent=(1, 90)
)
RULES = (
    (
        Rule(
            module="m",
            series={"SeriesDescription": "Hippo"},
            study={"PatientSex": "O", "StudyDate": "^2026", "StudyDescription": ""},
        ),
        {"series": VOLUME},
    ),
    (
        Rule(module="m", series={"EchoTime": "", "ImageType": "ORIG", "SeriesNumber": ""}),
        {"series": Films(("MR", "CR"))},
    ),
    (Rule(module="m", incomplete="analyse"), {"series": Input("MR")}),
)
KEYWORDS = (
    *("SpecificCharacterSet", "Modality", "SeriesDescription", "SeriesNumber", "InstanceNumber"),
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "PatientAge", "PatientWeight"),
    *("StudyDate", "StudyTime", "StudyDescription", "AccessionNumber", "ReferringPhysicianName"),
    *("Rows", "Columns", "PixelSpacing", "ImagePositionPatient", "ImageOrientationPatient"),
    *("NumberOfSeriesRelatedInstances", "ContributingEquipmentSequence", "NumberOfFrames"),
    *("SamplesPerPixel", "PhotometricInterpretation", "ImageType", "EchoTime"),
    *("FrameOfReferenceUID", "SOPClassUID", "AcquisitionDate"),
)
VRS = [*sorted(LONG_VRS), b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"FL", b"FD", b"IS", b"LO"]
VRS += [b"PN", b"SH", b"SL", b"SS", b"TM", b"UI", b"UL", b"US", b"ZZ", b"\0\0"]
VALUES = [
    *(b"", b"\0", b"nan\\nan\\nan", b"1e400\\0\\0", b"inf", b"1\\2", b"-1", b"9" * 20, b"0x10"),
    *(b"\\" * 6, b"\xff\xfe\xfd", b"\x1b$B\x30\x21", b"no such set", b"A" * 3000, b"../../x"),
    *(b"0\\0\\1e308", b"1e308\\-1e308\\0", b"0\\0\\0\\0\\0\\0", b"1e-320\\1e-320", b"0\\0"),
    *(b"\0\0\0\0\0\0\xf0\x7f", b"a^b=c^d=e^f=g", b"20269999", b"\xed\xa0\x80", b"1e999999999"),
    *(b"\xfe\xff\0\xe0\0\0\0\0", b"\xfe\xff\0\xe0\xff\xff\xff\xff", b"Hilum", b"MR\\CR"),
    *(b"-1\\1", b"\x1b[31mred\x1b[0m"),
]
LENGTHS = [None, None, None, None, None, 0, 1, 70_000, 0x7FFFFFFF, 0xFFFFFFFE, UNDEFINED]

EQUIPMENT = 0x0018A001  # Contributing Equipment Sequence

Elements = dict[int, bytes]


def element(tag: int, vr: bytes, value: bytes, length: int | None = None) -> bytes:
    """One element in Explicit VR Little Endian, be its length a lie."""
    value += b" " * (len(value) % 2)
    length = len(value) if length is None else length
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr)
    if vr in LONG_VRS:
        return head + struct.pack("<HL", 0, length) + value
    return head + struct.pack("<H", length & 0xFFFF) + value


def part10(elements: Elements, syntax: str = ExplicitVRLittleEndian) -> bytes:
    head = prefix(MRImageStorage, "1.2.3", syntax, "ODD")
    return head + b"".join(elements[tag] for tag in sorted(elements))


def tag_of(keyword: str) -> int:
    tag = tag_for_keyword(keyword)
    assert tag is not None
    return tag


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> list[Instance]:
    return instances(mr_slices(count=5, shape=(8, 8)), tmp_path_factory.mktemp("good"))


@pytest.fixture(scope="module")
def elements(good: list[Instance]) -> Elements:
    """Those of the first of the good images, encoded."""
    found = {}
    for item in good[0].dataset():
        vr, value = item.VR.encode(), item.value
        if item.VR == "US":
            value = struct.pack("<H", value)
        elif not isinstance(value, bytes):
            value = "\\".join(map(str, value if item.VM > 1 else [value])).encode()
        found[int(item.tag)] = element(int(item.tag), vr, value)
    assert identify(part10(found))
    return found


def judge(content: bytes, path: Path, others: list[Instance]) -> str:
    """What becomes of an object, on its own and among the `others`, up to the verdicts."""
    try:
        identify(content)
        path.write_bytes(content)
        odd = Instance.read(path)
    except UnreadableError as error:
        return str(error)
    film = Film(odd)
    assert film.age is None or film.age >= 0
    reasons = [film.problem or film.acquired]
    for company in ([], others[1:]):
        arrival = Arrival(odd.study_uid)
        for number, instance in enumerate([*company, odd]):
            arrival.add(instance, float(number))
        for rule, needs in RULES:
            applies(rule, arrival.study())
            decision = decide(arrival, needs, rule, 1000.0)
            reasons += [decision.reason, *decision.selection.reasons]
        for instance in (odd, *company):
            attributes([odd], [instance])
            assert is_uid(instance.label)
    for reason in reasons:
        assert reason.isprintable()
        assert len(reason) < 1000
    return ""


odd_elements = st.lists(
    st.tuples(
        st.sampled_from(KEYWORDS),
        st.none() | st.sampled_from(VRS),
        st.sampled_from(VALUES) | st.binary(max_size=40),
        st.sampled_from(LENGTHS),
    ),
    min_size=1,
    max_size=4,
)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(odd=odd_elements)
def test_odd_elements_end_in_a_verdict(
    tmp_path: Path, good: list[Instance], elements: Elements, odd: list[tuple]
) -> None:
    changed = dict(elements)
    for keyword, vr, value, length in odd:
        vr = vr or dictionary_VR(tag_of(keyword)).encode()
        changed[tag_of(keyword)] = element(tag_of(keyword), vr, value, length)
    judge(part10(changed), tmp_path / "odd.dcm", good)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    places=st.lists(
        st.tuples(st.integers(132, 900), st.binary(min_size=1, max_size=6)), min_size=1, max_size=4
    ),
    end=st.integers(0, 300),
)
def test_broken_bytes_end_in_a_verdict(
    tmp_path: Path, good: list[Instance], places: list[tuple[int, bytes]], end: int
) -> None:
    content = bytearray(good[0].path.read_bytes())
    for place, noise in places:
        content[place : place + len(noise)] = noise
    judge(bytes(content[: len(content) - end]), tmp_path / "odd.dcm", good)


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_one_broken_element_costs_an_image_nothing_else(
    tmp_path: Path, good: list[Instance], elements: Elements, keyword: str
) -> None:
    tag = tag_of(keyword)
    changed = {**elements, tag: element(tag, b"FD", b"broken")}
    path = tmp_path / "odd.dcm"
    path.write_bytes(part10(changed))
    if keyword == "SOPClassUID":
        with pytest.raises(UnreadableError, match="not a UID: SOPClassUID"):
            Instance.read(path)
        return
    odd = Instance.read(path)
    assert odd.header.get(keyword) is None
    assert odd.sop_instance_uid == good[0].sop_instance_uid


def nested(depth: int) -> bytes:
    head = element(EQUIPMENT, b"SQ", b"", UNDEFINED)
    start, end = head + b"\xfe\xff\0\xe0\xff\xff\xff\xff", b"\xfe\xff\x0d\xe0\0\0\0\0"
    return start * depth + (end + b"\xfe\xff\xdd\xe0\0\0\0\0") * depth


def nested_with_lengths(depth: int) -> bytes:
    tag = EQUIPMENT
    content = b""
    for _ in range(depth):
        content = element(tag, b"SQ", b"\xfe\xff\0\xe0" + struct.pack("<L", len(content)) + content)
    return content


def many_items(count: int) -> bytes:
    head = element(EQUIPMENT, b"SQ", b"", UNDEFINED)
    return head + b"\xfe\xff\0\xe0\0\0\0\0" * count + b"\xfe\xff\xdd\xe0\0\0\0\0"


def side_by_side(count: int) -> bytes:
    """Empty elements that follow each other outside of any sequence."""
    elements = np.zeros(count, [("tag", "<u2", 2), ("vr", "S2"), ("length", "<u2")])
    tags = np.arange(0x00291000, 0x00291000 + count)
    elements["tag"] = np.stack([tags >> 16, tags & 0xFFFF], axis=-1)
    elements["vr"] = b"LO"
    return elements.tobytes()


def enhanced(frames: int) -> bytes:
    """Per-Frame Functional Groups as scanners write them, every length undefined."""
    frame = b"".join(
        sequence(group, b"".join(element(0x00189074 + n, b"SH", b"1") for n in range(3)))
        for group in (0x00189114, 0x00189117, 0x00189152, 0x00209111, 0x00209113, 0x00209116)
        for _ in range(2)
    )
    head = element(tag_of("PerFrameFunctionalGroupsSequence"), b"SQ", b"", UNDEFINED)
    return head + item(frame) * frames + b"\xfe\xff\xdd\xe0\0\0\0\0"


def sequence(tag: int, content: bytes) -> bytes:
    return element(tag, b"SQ", b"", UNDEFINED) + item(content) + b"\xfe\xff\xdd\xe0\0\0\0\0"


def item(content: bytes) -> bytes:
    return b"\xfe\xff\0\xe0\xff\xff\xff\xff" + content + b"\xfe\xff\x0d\xe0\0\0\0\0"


# Made when they are wanted: some are large.
BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "deep": (lambda: nested(DEEPEST + 1), "more than 100 deep"),
    "very deep": (lambda: nested(300_000), "more than 100 deep"),
    "unfinished": (lambda: nested(3)[:-4], "in the middle of an element"),
    "too long": (lambda: element(tag_of("PatientID"), b"UT", b"x", 0xFFFFFFF0), "in the middle"),
    "no items": (lambda: element(EQUIPMENT, b"SQ", b"x" * 8, UNDEFINED), "items"),
    "heads": (lambda: many_items(MOST_ELEMENTS + 1), "elements"),
    "side by side": (
        lambda: side_by_side(800_000),
        f"more than {MOST_OUTERMOST} elements side by side",
    ),
}
BEARABLE: dict[str, Callable[[], bytes]] = {
    "deep with lengths": lambda: nested_with_lengths(3000),
    "100,000 items": lambda: many_items(100_000),
    "100,000 items with a length": lambda: element(
        EQUIPMENT, b"SQ", b"\xfe\xff\0\xe0\0\0\0\0" * 100_000
    ),
    "a million characters": lambda: element(tag_of("SeriesDescription"), b"UT", b"x" * 1_000_000),
    "as many values": lambda: element(tag_of("SeriesDescription"), b"UC", b"1\\" * 500_000),
    "a large private element": lambda: element(0x00291010, b"OB", bytes(50_000_000)),
}


@pytest.mark.parametrize("what", BROKEN)
def test_what_cannot_be_borne_is_refused_with_the_reason(elements: Elements, what: str) -> None:
    make, reason = BROKEN[what]
    content = part10({**elements, 0x00080001: make()})
    with pytest.raises(UnreadableError, match=reason):
        identify(content)


@pytest.mark.parametrize(
    ("make", "too_much"),
    [(nested, DEEPEST + 1), (side_by_side, MOST_OUTERMOST + 1), (many_items, 1001)],
)
def test_what_is_too_much_is_refused_at_the_bound_however_much_it_is(
    elements: Elements,
    make: Callable[[int], bytes],
    too_much: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if make is many_items:
        monkeypatch.setattr(structure, "MOST_ELEMENTS", 1000)

    def work(count: int) -> int:
        content = part10({**elements, 0x00080001: make(count)})

        def refused() -> None:
            with pytest.raises(UnreadableError, match="more than"):
                identify(content)

        return lines_run(refused)

    least = work(too_much)
    assert work(50 * too_much) <= least


@pytest.mark.parametrize("what", BEARABLE)
def test_what_is_large_or_deep_costs_little_memory(
    tmp_path: Path, good: list[Instance], elements: Elements, what: str
) -> None:
    content = part10({**elements, EQUIPMENT: BEARABLE[what]()})
    with little_memory():
        assert judge(content, tmp_path / "odd.dcm", good) == ""


def test_a_header_in_memory_is_small(tmp_path: Path, elements: Elements) -> None:
    tags = range(0x00291000, 0x00291063)
    private = {tag: element(tag, b"OB", bytes(LARGEST_ELEMENT - 99)) for tag in tags}
    path = tmp_path / "odd.dcm"
    path.write_bytes(part10({**elements, **private}))
    header = Instance.read(path).header
    assert header.Modality == "MR"
    assert sum(len(header[tag].value) for tag in tags if tag in header) < LARGEST_HEADER


def test_pixel_data_that_are_cut_off_are_seen(elements: Elements) -> None:
    content = part10(elements)
    assert identify(content)
    with pytest.raises(UnreadableError, match="in the middle of an element"):
        identify(content[:-1])
    pixels = tag_of("PixelData")
    item = b"\xfe\xff\0\xe0" + struct.pack("<L", 100) + bytes(100)
    fragments = element(pixels, b"OB", b"", UNDEFINED) + b"\xfe\xff\0\xe0\0\0\0\0" + item
    content = part10({**elements, pixels: fragments}, JPEG2000Lossless)
    assert identify(content + b"\xfe\xff\xdd\xe0\0\0\0\0")
    assert identify(content)  # only the delimiter is missing
    with pytest.raises(UnreadableError, match="in the middle of an element"):
        identify(content[:-1])


def test_ten_thousand_frames_are_taken(elements: Elements) -> None:
    """820,000 heads, all but a few of them in sequences."""
    content = part10({**elements, tag_of("PerFrameFunctionalGroupsSequence"): enhanced(10_000)})
    assert identify(content)["StudyInstanceUID"]


@pytest.mark.parametrize("value", [b"\\ISO 2022 IR 87", b"\\X"])
def test_a_character_set_of_thousands_costs_as_little_as_one_of_a_few(
    tmp_path: Path, elements: Elements, value: bytes
) -> None:
    """Each text is tried with each of them."""
    texts = b"".join(element(0x00291000 + n, b"LO", b"\x1b$B\x30\x21\xff" * 6) for n in range(300))
    path = tmp_path / "odd.dcm"

    def work(count: int) -> int:
        tag = tag_of("SpecificCharacterSet")
        odd = {tag: element(tag, b"CS", value * count), 0x00291000: texts}
        path.write_bytes(part10({**elements, **odd}))
        header = Instance.read(path).header
        return lines_run(lambda: [str(item.value) for item in header])

    few = work(5)
    assert work(4000) <= few
