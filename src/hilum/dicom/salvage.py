"""Files that are not quite DICOM files (PS3.10 7.1): put right where only one reading is possible.

Programs that export images forget the preamble, keep the file meta group of another file, or name
a transfer syntax that the data set does not have. What is put right is what stands before the data
set, never the data set itself. Where no reading fits, or nobody can say which one is meant, the
file is refused.
"""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from struct import unpack_from

from pydicom import config
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)
from pydicom.valuerep import STANDARD_VR

from hilum.dicom.header import elements_of, uids_of
from hilum.dicom.part10 import (
    PREAMBLE,
    SOP_CLASS_UID,
    SOP_INSTANCE_UID,
    TRANSFER_SYNTAX_UID,
    Meta,
    has_prefix,
    meta_group,
    prefix,
)
from hilum.dicom.structure import LONG_VRS, PIXEL_DATA, UNDEFINED, Buffer, Element, Walker
from hilum.errors import UnreadableError

VRS = frozenset(str(vr).encode() for vr in STANDARD_VR)
# What may be guessed. In big endian the order of the pixels' bytes could not be proven.
GUESSED = (ImplicitVRLittleEndian, ExplicitVRLittleEndian)
ROWS = 0x00280010
FIRST_GROUPS = (b"\2\0", b"\x08\0")  # of the file meta group, and of every data set


@dataclass(frozen=True)
class Readable:
    """A file that identifies itself.

    `uids` are the identifying ones by keyword; `mended` says in words what has to be put right, ""
    if nothing has: `start` then takes the place of the first `offset` bytes.
    """

    uids: dict[str, str]
    mended: str = ""
    start: bytes = b""
    offset: int = 0

    def part10(self, content: bytes) -> bytes:
        """The file as it should be, from the `content` that was looked at."""
        return self.start + content[self.offset :] if self.mended else content


@dataclass(frozen=True)
class _Reading:
    """A data set, read in one transfer syntax."""

    syntax: UID
    uids: dict[str, str]


def readable(content: Buffer) -> Readable:
    """How the file `content` is to be read; raises `UnreadableError` if it identifies no object.

    Every object is looked at from its first element to its pixel data, so that broken ones are
    refused at the door. One whose file meta group names another object is refused, too: nobody
    knows which of the two it is.
    """
    if not len(content):
        raise UnreadableError("the file is empty")
    prefixed = has_prefix(content)
    start = len(PREAMBLE) if prefixed else 0
    if not may_be_dicom(content):
        raise UnreadableError("not a DICOM file: no prefix or no file meta group")
    meta = meta_group(content, start)
    # Whatever it is: pydicom would warn of a broken one, with its value.
    stated = UID(meta.values.get(TRANSFER_SYNTAX_UID, ""), config.IGNORE)
    if stated == DeflatedExplicitVRLittleEndian:
        # A few megabytes can grow to gigabytes; nobody in imaging sends it.
        raise UnreadableError("Deflated Explicit VR Little Endian is not taken in")
    reading = _reading(content, meta.end, stated)
    what = ["it has no preamble"] if not prefixed else []
    what += _put_right(meta, stated, reading)
    if not what:
        return Readable(reading.uids)
    uids = reading.uids
    start_of_file = prefix(uids["SOPClassUID"], uids["SOPInstanceUID"], reading.syntax)
    return Readable(uids, ", ".join(what), start_of_file, meta.end)


def may_be_dicom(content: Buffer) -> bool:
    """Whether it begins as a DICOM file does, or as a data set without what stands before it."""
    return has_prefix(content) or content[:2] in FIRST_GROUPS


def _lacks_uids(meta: Meta, uids: dict[str, str]) -> bool:
    """Whether the group lacks one of its two UIDs; `UnreadableError` if one is another object's."""
    stated = {
        "SOP Instance": (meta.values.get(SOP_INSTANCE_UID), uids["SOPInstanceUID"]),
        "SOP Class": (meta.values.get(SOP_CLASS_UID), uids["SOPClassUID"]),
    }
    for what, (in_meta, in_data) in stated.items():
        if in_meta and in_meta != in_data:
            raise UnreadableError(f"{what} UID of the file meta group and of the data set differ")
    return not all(in_meta for in_meta, _ in stated.values())


def _put_right(meta: Meta, stated: UID, reading: _Reading) -> Iterator[str]:
    """What is wrong with a file meta group beside the data set, and is put right."""
    lacks_uids = _lacks_uids(meta, reading.uids)
    if not meta.values:
        yield "it has no file meta group"
    elif lacks_uids:
        yield "its file meta group lacks the SOP Class or Instance UID"
    if not stated:
        yield f"its data set is {reading.syntax.name}"
    elif stated != reading.syntax:
        yield f"it says {stated.name}, its data set is {reading.syntax.name}"


def _reading(content: Buffer, offset: int, stated: UID) -> _Reading:
    """The data set in the stated syntax, or in the only one that fits where that does not."""
    problem = UnreadableError("not a DICOM file: its data set cannot be read to the end")
    lenient = None
    if stated:
        try:
            elements = elements_of(content, offset, stated)
            lenient = _Reading(stated, uids_of(content, elements))
        except UnreadableError as error:
            problem = error
        else:
            if _is_plausible(content, offset, stated, elements):
                return lenient
    if (not stated or _may_be_wrong(stated)) and (other := _only_other(content, offset, stated)):
        return other
    if lenient is None:
        raise problem
    if _are_compressed(content, elements, offset) and not stated.is_encapsulated:
        raise UnreadableError(
            "its pixels are compressed, and its file meta group says that they are not: "
            "the method is stated nowhere"
        )
    return lenient


def _may_be_wrong(stated: UID) -> bool:
    """Whether another syntax may be tried. A private one may order bytes as nobody else does."""
    return stated.is_transfer_syntax and stated != ExplicitVRBigEndian and not stated.is_private


def _is_plausible(content: Buffer, offset: int, stated: UID, elements: list[Element]) -> bool:
    """Whether the first element and the pixel data look as they do in the stated syntax."""
    explicit = content[offset + 4 : offset + 6] in VRS
    if explicit == (stated == ImplicitVRLittleEndian):
        return False
    compressed = _are_compressed(content, elements, offset)
    return compressed is None or compressed == stated.is_encapsulated


def _all_elements(walker: Walker, size: int) -> list[Element]:
    """The elements up to the pixel data; `UnreadableError` unless what follows ends at `size`."""
    elements = list(walker.elements())
    while walker.position < size:
        before = walker.position
        deque(walker.elements(), maxlen=0)
        if walker.position == before:
            raise UnreadableError("its elements do not end where the file does")
    return elements


def _only_other(content: Buffer, offset: int, stated: UID) -> _Reading | None:
    """The data set in the only other syntax that fits; None if none does, or several do."""
    candidates = [syntax for syntax in GUESSED if syntax != stated]
    fitting = [r for s in candidates if (r := _strict_reading(content, offset, s))]
    return fitting[0] if len(fitting) == 1 else None


def _strict_reading(content: Buffer, offset: int, syntax: UID) -> _Reading | None:
    """The data set if every byte of it makes sense in `syntax`, else None.

    Tags ascend, every VR is one of the standard's, lengths end exactly at the end of the file, the
    identifying UIDs are there, an image has pixel data, and they are not compressed.
    """
    try:
        elements = _all_elements(Walker(content, offset, syntax), len(content))
        uids = uids_of(content, elements)
    except UnreadableError:
        return None
    tags = [element.tag for element in elements]
    compressed = _are_compressed(content, elements, offset)
    if tags != sorted(set(tags)) or compressed or (compressed is None and ROWS in tags):
        return None
    if syntax == ExplicitVRLittleEndian and any(
        content[element.start + 4 : element.start + 6] not in VRS for element in elements
    ):
        return None
    return _Reading(syntax, uids)


def _are_compressed(content: Buffer, elements: list[Element], offset: int) -> bool | None:
    """Whether the pixel data are fragments of undefined length (PS3.5 A.4); None without any."""
    at = elements[-1].end if elements else offset
    head = content[at : at + 12]
    if len(head) < 8:
        return None
    for order in "<>":
        group, element = unpack_from(f"{order}HH", head)
        if group << 16 | element in PIXEL_DATA:
            long = len(head) == 12 and head[4:6] in LONG_VRS
            length: int = unpack_from(f"{order}L", head, 8 if long else 4)[0]
            return length == UNDEFINED
    return None
