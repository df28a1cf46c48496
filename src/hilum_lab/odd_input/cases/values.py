"""What the stored values mean: rescaling, signs, unused bits, colour, compression."""

from collections.abc import Callable
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import (
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from hilum_lab.odd_input.case import CaseGroup, received, refused
from hilum_lab.odd_input.classic import CaseFiles, Maker, put_pixels
from hilum_lab.odd_input.jpeg import lossless_jpeg
from hilum_lab.odd_input.phantom import planes

GROUP = CaseGroup("What the values mean")
SLOPE, INTERCEPT = "RescaleSlope", "RescaleIntercept"


def with_each(change: Callable[[Dataset, int], None]) -> Callable[[Maker], CaseFiles]:
    """A regular series, each image of it changed."""

    def make(maker: Maker) -> CaseFiles:
        exam = maker.exam()
        for number, dataset in enumerate(exam.datasets):
            change(dataset, number)
        return exam

    return make


def with_last(change: Callable[[Dataset], None]) -> Callable[[Maker], CaseFiles]:
    """A regular series, the sixth image of it changed."""

    def make(maker: Maker) -> CaseFiles:
        exam = maker.exam()
        change(exam.datasets[5])
        return exam

    return make


def rescaled(**attributes: Any) -> Callable[[Maker], CaseFiles]:
    return lambda maker: maker.exam(**attributes)


def text(keyword: str, value: str) -> Callable[[Dataset, int], None]:
    """Write what is no number where one should be."""

    def change(dataset: Dataset, _number: int) -> None:
        dataset.RescaleSlope, dataset.RescaleIntercept = 1, 0
        dataset[keyword]._value = value

    return change


GROUP.add("MR with slope and intercept", rescaled(slope=2, intercept=-500), received())
GROUP.add("slope only", rescaled(slope=2), received())
GROUP.add("intercept only", rescaled(intercept=-500), received())
GROUP.add("slope 0.25 as a fraction", rescaled(slope=0.25, intercept=0), received())
GROUP.add("CT", rescaled(), received(), modality="CT")
GROUP.add(
    "CT without slope",
    rescaled(intercept=-1024),
    received(12, r"(?i)RescaleSlope|rescale slope"),
    modality="CT",
)
GROUP.add(
    "CT without intercept",
    rescaled(slope=1),
    received(12, r"(?i)RescaleIntercept|rescale intercept"),
    modality="CT",
)
GROUP.add(
    "PET without slope",
    rescaled(intercept=0),
    received(12, r"(?i)RescaleSlope|rescale slope"),
    modality="PT",
)
GROUP.add("slope and intercept empty", rescaled(slope="", intercept=""), received(readable=False))
GROUP.add(
    "slope empty, intercept given", rescaled(slope="", intercept=-500), received(readable=False)
)
for value in ("0", "nan", "inf", "one"):
    GROUP.add(
        f"slope {value}",
        with_each(text(SLOPE, value)),
        refused(r"(?i)RescaleSlope|rescale slope"),
    )
GROUP.add(
    "intercept nan",
    with_each(text(INTERCEPT, "nan")),
    refused(r"(?i)RescaleIntercept|rescale intercept"),
)
GROUP.add(
    "slope 0 in one slice",
    with_last(lambda dataset: text(SLOPE, "0")(dataset, 0)),
    refused(r"(?i)RescaleSlope|rescale slope", r"\b6\b|image|slice"),
)


@GROUP.case("PET with a slope for each slice", received(), modality="PT")
def _(maker: Maker) -> CaseFiles:
    exam = CaseFiles(maker.modality)
    for number, plane in enumerate(planes(), start=1):
        exam.add(maker.image(plane, number, slope=0.1 + 0.01 * number, intercept=0), plane)
    return exam


def _negative(dataset: Dataset, number: int) -> None:
    put_pixels(dataset, planes()[number].values() - 3000, signed=True)
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 3000


def _garbage_above(dataset: Dataset, number: int) -> None:
    """Twelve of sixteen bits are stored; the others hold an old overlay."""
    values = np.rint(planes()[number].values()).astype("<u2")
    put_pixels(dataset, values, bits=12)
    dataset.PixelData = (values | 0xA000).astype("<u2").tobytes()


def _signed_of_twelve(dataset: Dataset, number: int) -> None:
    """Negative values in twelve bits, without the sign in the four above."""
    values = np.rint(planes()[number].values() - 2000).astype("<i2")
    put_pixels(dataset, values, bits=12, signed=True)
    dataset.PixelData = (values & 0x0FFF).astype("<u2").tobytes()
    dataset.RescaleSlope, dataset.RescaleIntercept = 1, 2000


def _eight_bits(dataset: Dataset, number: int) -> None:
    values = (planes()[number].values() - 1900) / 2
    put_pixels(dataset, values, bits=8)
    dataset.RescaleSlope, dataset.RescaleIntercept = 2, 1900


def _inverse(dataset: Dataset, _number: int) -> None:
    dataset.PhotometricInterpretation = "MONOCHROME1"


def _mapped(dataset: Dataset, _number: int) -> None:
    """Real World Value Mapping: another quantity, from the stored values."""
    item = Dataset()
    item.RealWorldValueFirstValueMapped, item.RealWorldValueLastValueMapped = 0, 4095
    item.RealWorldValueIntercept, item.RealWorldValueSlope = 5.0, 0.001
    item.LUTExplanation, item.LUTLabel = "lab", "LAB"
    unit = Dataset()
    unit.CodeValue, unit.CodingSchemeDesignator, unit.CodeMeaning = "1", "UCUM", "no units"
    item.MeasurementUnitsCodeSequence = [unit]
    for keyword in ("RealWorldValueFirstValueMapped", "RealWorldValueLastValueMapped"):
        item[keyword].VR = "US"
    dataset.RealWorldValueMappingSequence = [item]


GROUP.add("stored values below zero", with_each(_negative), received())
GROUP.add("12 of 16 bits, garbage in the others", with_each(_garbage_above), received())
GROUP.add("12 bits with a sign", with_each(_signed_of_twelve), received())
GROUP.add("8 bits", with_each(_eight_bits), received())
GROUP.add("MONOCHROME1", with_each(_inverse), received(readable=False))  # the reader inverts it
GROUP.add("Real World Value Mapping beside the values", with_each(_mapped), received())


def _cut_pixels(dataset: Dataset) -> None:
    dataset.PixelData = dataset.PixelData[:100]


def _in_colour(dataset: Dataset) -> None:
    grey = np.frombuffer(dataset.PixelData, "<u2").reshape(dataset.Rows, dataset.Columns)
    colour = np.repeat((grey // 16).astype(np.uint8)[..., None], 3, axis=-1)
    dataset.SamplesPerPixel, dataset.PlanarConfiguration = 3, 0
    dataset.PhotometricInterpretation = "RGB"
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelData = 7, colour.tobytes()


def _without_pixels(dataset: Dataset) -> None:
    del dataset.PixelData


GROUP.add(
    "pixel data of one slice too short",
    with_last(_cut_pixels),
    refused(r"image 6\b.*(?i:pixel)"),
)
GROUP.add(
    "one slice without pixel data", with_last(_without_pixels), refused(r"image 6\b.*(?i:pixel)")
)
GROUP.add("one slice in colour", with_last(_in_colour), refused(r"1 colour image"))
GROUP.add(
    "colour map called MR",
    with_each(lambda dataset, _number: _in_colour(dataset)),
    refused(r"image 1\b.*in colour"),
)


def in_syntax(syntax: str) -> Callable[[Maker], CaseFiles]:
    def make(maker: Maker) -> CaseFiles:
        exam = maker.exam(planes(size=(40, 32)))  # JPEG 2000 halves it five times
        for dataset in exam.datasets:
            dataset.compress(syntax, generate_instance_uid=False)
        return exam

    return make


def _big_endian(dataset: Dataset, _number: int) -> None:
    dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRBigEndian


def _implicit(dataset: Dataset, _number: int) -> None:
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian


def _jpeg_lossless(dataset: Dataset, _number: int) -> None:
    lossless_jpeg(dataset)


GROUP.add("JPEG-LS", in_syntax(JPEGLSLossless), received())
GROUP.add("JPEG 2000", in_syntax(JPEG2000Lossless), received())
GROUP.add("RLE", in_syntax(RLELossless), received())
GROUP.add("JPEG, lossless", with_each(_jpeg_lossless), received())
GROUP.add("implicit VR", with_each(_implicit), received())
GROUP.add("big endian", with_each(_big_endian), received())
