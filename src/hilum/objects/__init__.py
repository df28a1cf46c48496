"""Findings become SOP instances. One file per kind of object; nothing is written to disk or sent.

The only thing read here are the pixels of an analysed volume, for the picture; films come drawn.
"""

from collections.abc import Sequence
from dataclasses import replace

from pydicom.dataset import Dataset

from hilum.findings import Findings, Note
from hilum.objects import pdf, sc, seg, sr
from hilum.objects.analysis import Analysis
from hilum.objects.report import Report
from hilum.objects.seg import Encoding
from hilum.objects.sr import Regions
from hilum.objects.withdrawal import write_withdrawal

__all__ = ["KINDS", "Analysis", "Encoding", "Regions", "write_objects", "write_withdrawal"]

UNREADABLE_LETTERS = (
    "The images do not say which characters their texts are written in; names and other texts may "
    "be shown with wrong letters."
)
KINDS = ("seg", "sr", "sc", "pdf")


def write_objects(
    analysis: Analysis,
    kinds: Sequence[str] = KINDS,
    segmentation: Encoding = "auto",
    regions: Regions = "outlines",
) -> list[tuple[str, Dataset]]:
    """The SOP instances which tell `analysis`, each with its kind, ready for `save_as` or sending.

    The same arguments give identical bytes. There is one of each kind, but a picture ("sc") for
    each film of a study and a first one for all; a kind that does not apply is left out: no
    Segmentation without segments. Without "seg" the measurement report refers to no segmentation,
    so that a destination never receives a dangling reference; its UID then differs, too.

    Parameters
    ----------
    analysis : Analysis
        What was found, by what, on what.
    kinds : sequence of str
        Any of "seg", "sr", "sc" and "pdf".
    segmentation : {"auto", "binary", "fractional"}
        Segmentation Type (PS3.3 C.8.20.2). "auto" is FRACTIONAL where Rows x Columns is no multiple
        of 8, because OHIF scrambles such BINARY objects silently, else BINARY.
    regions : {"outlines", "segments"}
        How the measurement report says where a measurement was made: by outlines on the images,
        which viewers draw, or by a reference to the segment, which machines read (PS3.16 TID 1411
        takes one of the two). Without "seg" among the kinds it is always outlines.
    """
    report = Report(_with_remarks(analysis))
    overlay = seg.write(report, segmentation) if "seg" in kinds else None
    written = [("seg", overlay)] if overlay else []
    if "sr" in kinds:
        written.append(("sr", sr.write(report, overlay, regions)))
    if "sc" in kinds:
        written += [("sc", picture) for picture in sc.write(report)]
    if "pdf" in kinds:
        written.append(("pdf", pdf.write(report)))
    return written


def _with_remarks(analysis: Analysis) -> Analysis:
    """`analysis`, with what a reader must know of whose images these are."""
    remarks = []
    if differ := analysis.judgement.beside:
        text = f"Other images of this study name another patient ({', '.join(differ)})"
        remarks.append(Note(text, caution=True))
    if any(instance.header.is_assumed for instance in analysis.instances):
        remarks.append(Note(UNREADABLE_LETTERS))
    if not remarks:
        return analysis
    return replace(analysis, findings=Findings((*analysis.findings.items, *remarks)))
