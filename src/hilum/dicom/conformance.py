"""Whether a DICOM file that others wrote can be sent as a result: its class, values and pixels.

What is looked for is what makes archives refuse an object, or viewers show another picture: a class
that is no result, an attribute that its class requires (PS3.3), pixels that are not as long as
they are said to be.
"""

import math
from collections.abc import Iterator
from io import BytesIO

from highdicom._standard_utils import (  # the tables of PS3.3 as highdicom has them
    get_iod_module_map,
    get_module_attribute_map,
    get_sop_class_iod_map,
)
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from hilum.dicom.header import HOSTILE
from hilum.dicom.part10 import has_prefix
from hilum.errors import DicomError

# Whoever sends an object writes these modules anew; the table of the last knows no value types.
SENDERS = frozenset(
    (
        "patient",
        "general-study",
        "patient-study",
        "general-series",
        "general-equipment",
        "enhanced-general-equipment",
        "sop-common",
        "sr-document-content",
    )
)
NO_RESULT = frozenset(  # raw data, the note that takes results back, what is no part of a study
    (
        "1.2.840.10008.5.1.4.1.1.66",
        "1.2.840.10008.5.1.4.1.1.88.59",
        "1.2.840.10008.1.3.10",
        "1.2.840.10008.5.1.4.38.1",
        "1.2.840.10008.5.1.4.39.1",
    )
)
PIXELS = "PixelData"


def read_object(content: bytes) -> Dataset:
    """The data set of a DICOM file, all of it decoded; empty attributes of type 2 are put in.

    One that says its pixels are compressed and has them plain is put right: modules that copy a
    header write such files.

    Raises
    ------
    DicomError
        It cannot be a result; the text says why and holds no patient data.
    """
    if not has_prefix(content):
        raise DicomError("it is no DICOM file")
    try:
        dataset = dcmread(BytesIO(content))
        dataset.decode()
        sop_class = UID(str(dataset.get("SOPClassUID", "")))
        _require_class(sop_class)
        _put_right(dataset)
        problems = list(_problems(dataset))
    except DicomError:
        raise
    except HOSTILE as error:
        raise DicomError(f"it cannot be read ({type(error).__name__})") from error
    if problems:
        raise DicomError(f"as {sop_class.name} it {'; it '.join(problems[:3])}")
    return dataset


def _require_class(sop_class: str) -> None:
    if sop_class not in get_sop_class_iod_map() or sop_class in NO_RESULT:
        raise DicomError("its SOP class is none that a result can have")


def _put_right(dataset: Dataset) -> None:
    syntax = dataset.file_meta.TransferSyntaxUID
    if not syntax.is_little_endian or syntax.is_deflated:
        raise DicomError("its transfer syntax is none that archives take")
    pixels = dataset.get_item(PIXELS) if PIXELS in dataset else None
    plain = pixels is None or not getattr(pixels, "is_undefined_length", False)
    if (syntax.is_compressed and plain) or syntax == ImplicitVRLittleEndian:
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian


def _problems(dataset: Dataset) -> Iterator[str]:
    iod = get_sop_class_iod_map()[str(dataset.SOPClassUID)]
    for module in get_iod_module_map()[iod]:
        if module["usage"] == "M" and module["key"] not in SENDERS:
            yield from _lacking(dataset, module["key"])
    if PIXELS in dataset and not dataset.file_meta.TransferSyntaxUID.is_compressed:
        yield from _wrong_pixels(dataset)


def _lacking(dataset: Dataset, module: str) -> Iterator[str]:
    """Attributes of one module of PS3.3 at the top of the data set, of type 1 and 2."""
    for attribute in get_module_attribute_map()[module]:
        keyword = attribute["keyword"]
        if attribute["path"] or attribute["type"] not in ("1", "2"):
            continue
        if attribute["type"] == "2" and keyword not in dataset:
            setattr(dataset, keyword, None)
        elif attribute["type"] == "1" and (keyword not in dataset or dataset[keyword].is_empty):
            yield f"lacks {keyword}"


def _wrong_pixels(dataset: Dataset) -> Iterator[str]:
    frames = int(dataset.get("NumberOfFrames") or 1)
    sides = (dataset.Rows, dataset.Columns, dataset.get("SamplesPerPixel", 1), frames)
    bits = math.prod(map(int, sides)) * int(dataset.BitsAllocated)
    length = -(-bits // 8)
    if len(dataset.PixelData) not in (length, length + length % 2):
        yield f"has {len(dataset.PixelData)} bytes of pixels; its size needs {length}"
