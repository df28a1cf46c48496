"""What a module in an environment may ask of its inputs, and how a header is told to it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from hilum.dicom.header import Header
from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.errors import ModuleError, UnreadableError
from hilum.findings import Findings, Note
from hilum.hosts.given import GivenInputs, Inquiry, Member, as_values
from hilum.testing import write_series
from hilum_module import header as theirs
from tests import radiographs


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> GivenInputs:
    folder = tmp_path_factory.mktemp("given")
    series = Series.of([Instance.read(file) for file in write_series(folder)])
    film = radiographs.film(radiographs.radiograph(radiographs.scene()), folder)
    return GivenInputs({"head": series, "films": (film,), "absent": None, "other": Findings()})


def ask(inputs: GivenInputs, of: str, member: Member, number: int = 0) -> None:
    inputs.answer(Inquiry(input=of, member=member, number=number))


@pytest.mark.parametrize("of", ["absent", "other", "nothing", ""])
@pytest.mark.parametrize("member", Member)
def test_of_what_holds_no_images_nothing_can_be_asked(
    inputs: GivenInputs, of: str, member: Member
) -> None:
    with pytest.raises(ModuleError, match="was not given"):
        ask(inputs, of, member)


@pytest.mark.parametrize(
    ("of", "member", "number"),
    [
        ("head", Member.VALUES, 0),
        ("head", Member.IMAGE_HEADER, 8),
        ("head", Member.FILE, 1 << 40),
        ("films", Member.VOLUME, 0),
        ("films", Member.FILE, 0),
        ("films", Member.PICTURE, 1),
    ],
)
def test_what_an_input_has_not_is_not_given(
    inputs: GivenInputs, of: str, member: Member, number: int
) -> None:
    with pytest.raises(ModuleError, match="was not given"):
        ask(inputs, of, member, number)


def test_what_the_images_do_not_say_is_told_in_words(inputs: GivenInputs) -> None:
    with pytest.raises(UnreadableError, match="SUV"):
        ask(inputs, "head", Member.SUV_FACTOR)


@pytest.mark.parametrize(
    "item",
    [
        {},
        {"input": "head"},
        {"input": "head", "member": "path"},
        {"input": "head", "member": "file", "number": -1},
        {"input": "head", "member": "file", "path": "/etc/passwd"},
        {"input": ["head"], "member": "file"},
    ],
)
def test_what_is_no_inquiry_is_none(item: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Inquiry.model_validate(item)


def test_findings_and_parameters_are_told_at_once() -> None:
    given = GivenInputs({"other": Findings((Note("seen"),)), "absent": None})
    order, other = given.letter({"parameters": {"a": 1}}).items
    assert order == {"parameters": {"a": 1}}
    assert (other["input"], other["findings"][0]["text"]) == ("other", "seen")


def test_a_header_is_told_by_keyword(tmp_path: Path) -> None:
    item = Dataset()
    item.CodeValue, item.CodeMeaning = "1", ""
    about = Dataset()
    about.PatientName, about.PatientAge = "A^B", "040Y"
    about.PixelSpacing, about.InstanceNumber, about.EchoTime = [1, 2.5], 7, None
    about.ConceptNameCodeSequence = Sequence([item])
    block = about.private_block(0x0009, "A MAKER", create=True)
    block.add_new(0x01, "LO", "private")
    block.add_new(0x02, "OB", b"\0\1")
    block.add_new(0x03, "SQ", [item])
    about.add_new(0x00091102, "LO", "of no creator")
    about.add_new(0x00282000, "OB", b"profile")
    told = json.loads(json.dumps(as_values(Header(about))))
    header = theirs.Header(told)
    assert (header.PatientName, header.get("PatientAge")) == ("A^B", "040Y")
    assert (header.PixelSpacing, header.InstanceNumber) == ((1.0, 2.5), 7)
    assert "EchoTime" in header
    assert header.EchoTime is None
    assert header.ConceptNameCodeSequence[0].CodeValue == "1"
    assert header.text("PatientAge", 2) == "04"
    assert header.get("StudyDate", "none") == "none"
    assert set(told) == {element.keyword for element in about} - {""} | {"0009 A MAKER"}
    assert header.ICCProfile == b"profile"
    theirs_of, ours_of = header.private_block(9, "A MAKER"), about.private_block(9, "A MAKER")
    for offset in range(4):
        assert (offset in theirs_of) is (offset in ours_of)
    for offset in (1, 2):
        assert theirs_of[offset].value == ours_of[offset].value
    assert theirs_of[3].value[0].CodeValue == "1"
    for wrong in (lambda: theirs_of[4], lambda: header.private_block(9, "ANOTHER")):
        with pytest.raises(KeyError):
            wrong()
    with pytest.raises(AttributeError, match="has no StudyDate"):
        _ = header.StudyDate


@pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom's, on the broken values
@given(
    st.dictionaries(
        st.sampled_from([0x00100010, 0x00101010, 0x00200013, 0x00280030, 0x00081140, 0x00091001]),
        st.tuples(
            st.sampled_from(["PN", "AS", "IS", "DS", "SQ", "UN", "FD", "AT", "LO"]),
            st.binary(max_size=12),
        ),
    )
)
def test_any_header_can_be_told(elements: dict[int, tuple[str, bytes]]) -> None:
    from pydicom.dataelem import RawDataElement
    from pydicom.tag import BaseTag

    about = Dataset()
    for tag, (vr, value) in elements.items():
        about[tag] = RawDataElement(BaseTag(tag), vr, len(value), value, 0, False, True)
    told = as_values(Header(about))
    assert theirs.Header(json.loads(json.dumps(told, allow_nan=False))).get("PatientID") is None
