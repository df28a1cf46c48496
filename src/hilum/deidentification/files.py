"""A received image as a file that names nobody: Explicit VR Little Endian, not compressed.

The pixels are decoded and written anew: compressed ones may hold comments of whoever made them, and
unused bits of a pixel may hold an overlay.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pydicom
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.tag import BaseTag
from pydicom.uid import UID, ExplicitVRLittleEndian
from pydicom.valuerep import DSfloat

from hilum.deidentification.aliases import Aliases
from hilum.deidentification.burned_in import telling_pixels
from hilum.deidentification.profile import EDITION, WORDS, Action, action_for
from hilum.dicom.header import HOSTILE, text_of
from hilum.dicom.instance import Instance
from hilum.dicom.part10 import as_file
from hilum.dicom.pixels import StoredFrames
from hilum.errors import UnreadableError

METHOD = f"PS3.15 Basic Profile {EDITION}, Hilum"
BASIC_PROFILE = ("113100", "DCM", "Basic Application Confidentiality Profile")  # PS3.16 CID 7050
EMPTY = ("AccessionNumber", "PatientBirthDate", "PatientSex", "ReferringPhysicianName", "StudyID")
EMPTY_TIMES = ("StudyDate", "StudyTime")  # Type 2, as those above
DEEPEST = 4  # sequences within each other; functional groups take three
REALS = ("DS", "FD", "FL")
MOST_BITS = 16  # of a pixel; more are floats or masks
TABLES = ("ModalityLUTSequence",)  # change what the pixels mean, and are bytes of anybody's


def deidentified(image: Instance, aliases: Aliases) -> bytes:
    """`image` as a file without anything that names its patient, as `aliases` calls it.

    Raises
    ------
    UnreadableError
        It cannot be read, or means something only together with what may not leave.
    """
    stated = _read(image)
    made = _without_names(stated, aliases, 0)
    _require_meaning(image, stated)
    made.SOPClassUID = image.sop_class_uid
    made.PatientName = made.PatientID = aliases.patient(image.patient.id, *image.patient.issuer)
    for keyword in (*EMPTY, *EMPTY_TIMES):
        setattr(made, keyword, "")
    _say_so(made, image)
    _put_pixels(made, image)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return as_file(made)


def _read(image: Instance) -> Dataset:
    """All but the pixels, the functional groups too."""
    try:
        with image.path.open("rb") as file:
            return pydicom.dcmread(file, stop_before_pixels=True)
    except HOSTILE as error:
        raise UnreadableError(f"{image.name}: its header cannot be read") from error


def _require_meaning(image: Instance, stated: Dataset) -> None:
    name = UID(image.sop_class_uid)
    if name.type != "SOP Class" or name.is_private:
        raise UnreadableError(f"{image.name}: its SOP class is not in the standard")
    if any(keyword in stated for keyword in TABLES):
        raise UnreadableError(
            f"{image.name}: its values come out of a table (Modality LUT), which is not sent"
        )


def _without_names(stated: Dataset, aliases: Aliases, depth: int) -> Dataset:
    """What may leave of a data set, or of an item of a sequence."""
    made = Dataset()
    for tag in stated.keys():  # noqa: SIM118 - of a data set, iteration reads each value
        action = action_for(int(tag))
        if action is Action.LEFT_OUT:
            continue
        try:
            element = stated[tag]
            if action is Action.SEQUENCE:
                if depth < DEEPEST and element.VR == "SQ":
                    items = [_without_names(item, aliases, depth + 1) for item in element.value]
                    made.add_new(tag, "SQ", items)
            else:
                _put(made, tag, element, action, aliases)
        except HOSTILE:
            continue  # what is broken says nothing
    return made


def _put(made: Dataset, tag: BaseTag, element: DataElement, action: Action, known: Aliases) -> None:
    """The value of one attribute, written anew."""
    vr = pydicom.datadict.dictionary_VR(tag)
    values = _values(element)
    if action is Action.RENAMED:
        made.add_new(tag, "UI", known.uid(str(values[0])))
    elif action is Action.TERM:
        if words := [word for word in values if str(word) in WORDS[int(tag)]]:
            made.add_new(tag, "CS", words)
    elif numbers := list(_numbers(values, vr)):
        made.add_new(tag, vr, numbers)


def _values(element: DataElement) -> Sequence[Any]:
    value = element.value
    if value is None or value == "":
        return []
    return value if isinstance(value, Sequence) and not isinstance(value, str) else [value]


def _numbers(values: Sequence[Any], vr: str) -> Iterator[Any]:
    """Numbers of the kind that the attribute has; text in their place is none."""
    for value in values:
        if vr in REALS:
            number = float(value)
            if not math.isfinite(number):
                return
            yield DSfloat(number, auto_format=True) if vr == "DS" else number
        else:
            yield int(value)


def _say_so(made: Dataset, image: Instance) -> None:
    """That it was de-identified, and how (PS3.15 E.1.1); not so where its pixels may tell."""
    may_tell = bool(telling_pixels(image))
    made.PatientIdentityRemoved = "NO" if may_tell else "YES"
    made.BurnedInAnnotation = "YES" if may_tell else "NO"
    made.DeidentificationMethod = METHOD
    made.LongitudinalTemporalInformationModified = "REMOVED"
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = BASIC_PROFILE
    made.DeidentificationMethodCodeSequence = [item]


def _put_pixels(made: Dataset, image: Instance) -> None:
    if image.size is None:
        raise UnreadableError(f"{image.name}: it has no pixels")
    with StoredFrames(image.path) as stored:
        frames = [stored.frame(number + 1) for number in range(image.frame_count)]
    pixels = np.stack(frames)
    bits = 8 * pixels.itemsize
    if pixels.dtype.kind not in "ui" or bits > MOST_BITS:
        raise UnreadableError(f"{image.name}: its pixels are not integers of at most 16 bits")
    made.Rows, made.Columns = pixels.shape[1:]
    if len(frames) > 1 or text_of(made, "NumberOfFrames"):
        made.NumberOfFrames = len(frames)
    made.SamplesPerPixel = 1
    made.BitsAllocated = bits
    made.BitsStored = min(int(made.get("BitsStored", bits)), bits)
    made.HighBit = made.BitsStored - 1  # nothing lies below them any more
    made.PixelRepresentation = int(pixels.dtype.kind == "i")
    content = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    made.add_new("PixelData", "OB" if bits == 8 else "OW", content + b"\0" * (len(content) % 2))
