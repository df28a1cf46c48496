"""What leaves for an inference server names nobody, and its answer is found again."""

import struct
from collections.abc import Iterator
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from dicomanonymizer.dicom_anonymization_databases import dicomfields_2026c as table
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom._dicom_dict import DicomDictionary
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.tag import Tag
from pydicom.uid import (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLosslessSV1,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
)

from factory import instances, mr_slices
from hilum.deidentification import Aliases, deidentified, telling_pixels
from hilum.deidentification.profile import Action, action_for
from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.errors import ModuleError, UnreadableError
from hilum_lab.odd_input import jpeg
from hilum_lab.odd_input.classic import Maker
from hilum_lab.odd_input.enhanced import enhanced, shots

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")  # pydicom, of hostile values

KEY = "5f" * 16
NUMBER = 86753
AS_BYTES = [struct.pack(form, NUMBER) for form in ("<i", ">i", "<q", "<d", "<f")]
TEXTS = ("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UT", "UR", "DA", "TM", "DT", "AS", "UI")
SHORT = ("AE", "CS", "SH", "DA", "TM", "DT", "AS", "UI")
NUMERIC = {"FL": "f", "FD": "d", "UL": "I", "SL": "i", "UV": "Q", "SV": "q"}
BYTES = ("OB", "OW", "OD", "OF", "OL", "OV", "UN")
MINIMAL = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")
REFUSED = Tag("ModalityLUTSequence")  # see below
TAGS = [tag for tag in DicomDictionary if 7 < tag >> 16 != 0x7FE0 and tag != REFUSED]


def filled(tag: int, text: str) -> bytes | None:
    """A value for `tag` that holds `text`, or the number, in the form that its VR asks for."""
    vr = vr_of(tag)
    if vr in TEXTS or vr in BYTES:
        value = text.encode()[: 60 if vr in SHORT else None]
        return value + b" " * (-len(value) % 8)
    if action_for(tag) is Action.NUMBER:
        return None  # that numbers pass is what they are kept for
    if vr in ("DS", "IS"):
        return f"{NUMBER} ".encode()
    return struct.pack(f"<{NUMERIC[vr]}", NUMBER) if vr in NUMERIC else None


def vr_of(tag: int) -> str:
    return DicomDictionary[tag][0].split(" or ")[-1]


def nested(text: str, depth: int) -> Dataset:
    """An item that holds the text in an attribute of each VR, and in further items."""
    item = Dataset()
    for keyword in (
        *("PatientName", "PatientID", "StudyDescription", "PatientComments", "Modality"),
        *("StudyDate", "TextValue", "StackID", "PatientBirthDate", "LUTData", "PatientWeight"),
        *("ReferencedSOPInstanceUID", "AnatomicRegionSequence", "PlanePositionSequence"),
    ):
        put(item, Tag(keyword), text, depth)
    return item


def put(dataset: Dataset, tag: int, text: str, depth: int = 0) -> None:
    vr = vr_of(tag)
    if vr == "SQ":
        dataset.add_new(tag, "SQ", [] if depth > 1 else [nested(text, depth + 1)])
    elif value := filled(tag, text):
        dataset[tag] = RawDataElement(Tag(tag), vr, len(value), value, 0, False, True)


def as_it_stands(dataset: Dataset, implicit: bool) -> None:
    """Have raw elements written as they are, though they break every rule."""
    dataset.set_original_encoding(implicit, True, dataset._character_set)
    for tag in dataset.keys():  # noqa: SIM118
        held = dataset.get_item(tag)
        for item in held.value if held.VR == "SQ" else ():
            as_it_stands(item, implicit)


def hostile(text: str, tags: list[int]) -> Dataset:
    (image,) = mr_slices(count=1, shape=(4, 4))
    identifying = {Tag(keyword): image[keyword].value for keyword in MINIMAL}
    pixels = {t: image[t] for t in image.keys() if t.group == 0x28}  # noqa: SIM118
    for tag in tags:
        put(image, tag, text)
    image.update(pixels)
    for tag, value in identifying.items():
        image.add_new(tag, "UI", value)
    image.SpecificCharacterSet = "ISO_IR 192"
    image.SharedFunctionalGroupsSequence = [nested(text, 0)]
    image.BurnedInAnnotation = "NO"
    block = image.private_block(0x2119, text[:60], create=True)
    block.add_new(1, "LO", text)
    image.add_new(0x60003000, "OW", text.encode() + b"\0" * (len(text.encode()) % 2))
    image.add_new(0x60000022, "LO", text)
    image.add_new(0x50000030, "LO", text)
    image.file_meta.add_new("SourceApplicationEntityTitle", "AE", "MARKER")
    image.preamble = (text.encode() * 128)[:128]
    return image


def written_raw(image: Dataset, file: Path, implicit: bool = False) -> Instance:
    image.file_meta.TransferSyntaxUID = (
        ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    )
    image["PixelData"].VR = "OW"
    as_it_stands(image, implicit)
    return written(image, file)


def written(image: Dataset, file: Path) -> Instance:
    image.save_as(file, enforce_file_format=True)
    return Instance.read(file)


def traces(text: str, sent: bytes) -> Iterator[str]:
    """How the text, or the number, can be found in what is sent."""
    for codec in ("utf-8", "latin-1", "utf-16-le", "utf-16-be", "shift_jis"):
        with suppress(UnicodeEncodeError):
            if text.encode(codec) in sent:
                yield codec
    if str(NUMBER).encode() in sent:
        yield "digits"
    yield from ("binary" for form in AS_BYTES if form in sent)


LETTERS = st.sampled_from("ABCDEFXYZ^=-_' \\0123456789éßдя李")
NAMES = st.text(LETTERS, min_size=7, max_size=24).filter(
    lambda text: len(set(text)) > 4 and text.strip() == text and not text.isdigit()
)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(text=NAMES, tags=st.lists(st.sampled_from(TAGS), max_size=40), implicit=st.booleans())
def test_nothing_that_a_header_says_of_a_patient_is_in_what_is_sent(
    tmp_path: Path, text: str, tags: list[int], implicit: bool
) -> None:
    image = hostile(text, [*tags, *map(Tag, ("PatientName", "PatientID", "AccessionNumber"))])
    received = written_raw(image, tmp_path / "image.dcm", implicit)
    assert not list(traces(text, deidentified(received, Aliases(KEY))))


def test_every_attribute_of_the_dictionary_at_once_leaves_nothing(tmp_path: Path) -> None:
    text = "MARKER^PATIENT"
    image = hostile(text, TAGS)
    received = written_raw(image, tmp_path / "image.dcm")
    assert text.encode() in received.path.read_bytes()
    sent = deidentified(received, Aliases(KEY))
    assert not list(traces(text, sent))
    assert pydicom.dcmread(BytesIO(sent)).pixel_array.shape == (4, 4)


def test_what_the_profile_names_never_stays() -> None:
    named = [tag[0] << 16 | tag[1] for tag in table.ALL_TAGS if len(tag) == 2]
    staying = {tag for tag in named if action_for(tag) is not Action.LEFT_OUT}
    uids = {group << 16 | element for group, element in table.U_TAGS}
    assert staying <= uids
    assert all(action_for(tag) is Action.RENAMED for tag in staying)
    assert action_for(Tag("PatientWeight")) is Action.LEFT_OUT


def test_pixels_and_geometry_stay_what_they_are(tmp_path: Path) -> None:
    slices = mr_slices(count=3, shape=(6, 5), spacing=2.5)
    for each in slices:
        each.RescaleSlope, each.RescaleIntercept, each.EchoTime = "2", "-1024", 90
        each.BodyPartExamined = "HEAD"
    aliases = Aliases(KEY)
    for image, original in zip(instances(slices, tmp_path), slices, strict=True):
        sent = pydicom.dcmread(BytesIO(deidentified(image, aliases)))
        assert np.array_equal(sent.pixel_array, original.pixel_array)
        for keyword in ("ImagePositionPatient", "PixelSpacing", "RescaleSlope", "EchoTime"):
            assert sent[keyword].value == original[keyword].value
        assert (sent.BodyPartExamined, sent.Modality, sent.PatientIdentityRemoved) == (
            *("HEAD", "MR"),
            "YES",
        )
        assert aliases.original(sent.SOPInstanceUID) == original.SOPInstanceUID
        assert aliases.original(sent.StudyInstanceUID) == original.StudyInstanceUID


def test_an_overlay_in_unused_bits_of_a_pixel_is_gone(tmp_path: Path) -> None:
    (image,) = mr_slices(count=1, shape=(4, 4))
    image.BitsStored, image.HighBit = 12, 11
    pixels = np.full((4, 4), 0x7000 | 17, np.uint16)
    image.PixelData = pixels.tobytes()
    sent = pydicom.dcmread(
        BytesIO(deidentified(written(image, tmp_path / "image.dcm"), Aliases(KEY)))
    )
    assert np.frombuffer(sent.PixelData, np.uint16).tolist() == [17] * 16


def test_one_key_gives_one_name_and_another_key_another(tmp_path: Path) -> None:
    (image,) = instances(mr_slices(count=1), tmp_path)
    first, again, other = (
        pydicom.dcmread(BytesIO(deidentified(image, Aliases(key)))) for key in (KEY, KEY, "6e" * 16)
    )
    for keyword in ("PatientID", "PatientName", "StudyInstanceUID", "FrameOfReferenceUID"):
        assert first[keyword].value == again[keyword].value != other[keyword].value


def test_an_answer_about_what_was_not_sent_is_refused() -> None:
    aliases = Aliases(KEY)
    aliases.uid("1.2.3")
    with pytest.raises(ModuleError, match="an image that the server was not given"):
        aliases.original(Aliases("6e" * 16).uid("1.2.3"))
    with pytest.raises(ModuleError):
        aliases.original("1.2.3")


@pytest.mark.parametrize(
    ("keyword", "value", "why"),
    [
        ("BurnedInAnnotation", "YES", "BurnedInAnnotation"),
        ("BurnedInAnnotation", "Y", "BurnedInAnnotation"),
        ("SOPClassUID", SecondaryCaptureImageStorage, "SOP class"),
        ("SOPClassUID", UltrasoundImageStorage, "SOP class"),
        ("ImageType", ["DERIVED", "SECONDARY", "SCREEN SAVE"], "capture"),
        ("ConversionType", "DF", "capture"),
    ],
)
def test_pixels_that_may_show_a_name_are_told(
    tmp_path: Path, keyword: str, value: object, why: str
) -> None:
    (image,) = mr_slices(count=1)
    assert not telling_pixels(written(image, tmp_path / "plain.dcm"))
    setattr(image, keyword, value)
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    told = written(image, tmp_path / "telling.dcm")
    assert why in telling_pixels(told)
    sent = pydicom.dcmread(BytesIO(deidentified(told, Aliases(KEY))))
    assert (sent.BurnedInAnnotation, sent.PatientIdentityRemoved) == ("YES", "NO")


def test_what_means_nothing_without_its_table_is_refused(tmp_path: Path) -> None:
    (image,) = mr_slices(count=1)
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [2, 0, 16])
    item.ModalityLUTType, item.LUTData = "HU", b"\0\1\0\2"
    image.ModalityLUTSequence = [item]
    with pytest.raises(UnreadableError, match="Modality LUT"):
        deidentified(written(image, tmp_path / "image.dcm"), Aliases(KEY))


def test_a_sop_class_of_nobody_is_refused(tmp_path: Path) -> None:
    (image,) = mr_slices(count=1)
    image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = "1.2.3.19700101"
    with pytest.raises(UnreadableError, match="SOP class"):
        deidentified(written(image, tmp_path / "image.dcm"), Aliases(KEY))


def test_a_comment_in_compressed_pixels_does_not_leave(tmp_path: Path) -> None:
    (image,) = mr_slices(count=1, shape=(6, 5))
    pixels, told = image.pixel_array, b"MARKER^PATIENT"
    codestream = jpeg.encoded(pixels)
    comment = struct.pack(">2sH", b"\xff\xfe", len(told) + 2) + told
    image.PixelData = encapsulate([codestream[:2] + comment + codestream[2:]])
    image["PixelData"].VR, image["PixelData"].is_undefined_length = "OB", True
    image.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    received = written(image, tmp_path / "image.dcm")
    assert told in received.path.read_bytes()
    sent = deidentified(received, Aliases(KEY))
    assert told not in sent
    assert np.array_equal(pydicom.dcmread(BytesIO(sent)).pixel_array, pixels)


def test_a_multi_frame_image_keeps_its_geometry(tmp_path: Path) -> None:
    image = enhanced(Maker("sent", "MR"), shots())
    image.PatientName = image.PatientID = "MARKER"
    received = written(image, tmp_path / "image.dcm")
    sent = tmp_path / "sent.dcm"
    sent.write_bytes(deidentified(received, Aliases(KEY)))
    there, here = (Series.of([Instance.read(file)]).volume() for file in (sent, received.path))
    assert np.allclose(there.affine, here.affine)
    assert np.array_equal(there.array, here.array)
    assert b"MARKER" not in sent.read_bytes()
