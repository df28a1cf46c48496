"""What the module takes, judged from headers: a crop around one hippocampus, or a whole head."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.uid import (
    EnhancedMRImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
)

from hilum.dicom.series import Series
from hilum.findings import Note, Refusal
from hilum.module import Input
from hilum.module.conditions import contrast_agent

MR_IMAGES = (MRImageStorage, EnhancedMRImageStorage, LegacyConvertedEnhancedMRImageStorage)
# sides and spacings of the training crops (24-58 mm, 1 mm), a little widened
CROP = Input(
    modality="MR",
    sop_classes=MR_IMAGES,
    slice_spacing=(0.9, 1.1),
    pixel_spacing=(0.9, 1.1),
    extent=(24, 64),
)
# thicker slices lose volume (see the card); a side below 110 mm is no whole head
HEAD = Input(
    modality="MR",
    sop_classes=MR_IMAGES,
    slice_spacing=(0.4, 3.0),
    pixel_spacing=(0.4, 2.0),
    extent=(110, 400),
)
# mm; beyond it a head's result is of low confidence, beyond HEAD's limit there is none
THICK = 2.0
LONGEST_T1_ECHO = 20.0  # ms; MPRAGE echoes last 2-5 ms, T2 and FLAIR ones 80 ms and more


@dataclass(frozen=True)
class CropOrHead(Input):
    """One series that is what `CROP` or `HEAD` says."""

    def objections(self, series: Series) -> Iterator[str]:
        """Why it is neither; none means that it is one of them."""
        lasting = list(super().objections(series))
        if lasting:
            yield from lasting
            return
        crop, head = list(CROP.objections(series)), list(HEAD.objections(series))
        if crop and head:  # what it comes nearest to
            if len(crop) <= len(head):
                yield "as a crop around one hippocampus: " + "; ".join(crop)
            if len(head) <= len(crop):
                yield "as a whole head: " + "; ".join(head)

    def reservations(self, series: Series) -> Iterator[str]:
        """Why the module will refuse the series, as far as the header tells."""
        if refusal := refusal_by_header(series.header):
            yield refusal.text.rstrip(".")


def is_head(series: Series) -> bool:
    """Whether it is what `HEAD` says; everything else the module is given is taken as a crop."""
    return not list(HEAD.objections(series))


def refusal_by_header(header: Dataset) -> Refusal | None:
    """Why the acquisition itself is not what the network was made for, or None."""
    if contrast_agent(header):
        return Refusal(
            "contrast-agent",
            "the header names a contrast agent; the model knows only T1 images without contrast.",
        )
    if header.get("MRAcquisitionType") == "2D":
        return Refusal(
            "two-dimensional",
            "the series was acquired slice by slice (2D); the model knows only 3D acquisitions.",
        )
    echo_time = _number(header, "EchoTime")
    if echo_time > LONGEST_T1_ECHO:
        return Refusal(
            "not-t1",
            f"an echo time of {echo_time:.0f} ms is not that of a T1-weighted image.",
        )
    thickness, (_, thickest) = _number(header, "SliceThickness"), HEAD.slice_spacing or (0, 0)
    if thickness > thickest:
        return Refusal(
            "thick-slices",
            f"the slices are {thickness:.2g} mm thick; the model takes at most {thickest:.2g} mm.",
        )
    return None


def note_by_header(series: Series) -> Note | None:
    """What a reader must know of the acquisition, or None."""
    thickness = max(_number(series.header, "SliceThickness"), series.stack.spacing or 0.0)
    _, usual = CROP.slice_spacing or (0, 0)
    if thickness <= (THICK if is_head(series) else usual):
        return None
    return Note(f"slices of {thickness:.2g} mm; volumes read too small", caution=True)


def _number(header: Dataset, keyword: str) -> float:
    try:
        return float(header.get(keyword) or 0)
    except (TypeError, ValueError):
        return 0.0  # unreadable says as little as absent: crops often lack it
