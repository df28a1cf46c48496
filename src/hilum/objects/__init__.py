"""Findings become SOP instances. One file per kind of object; nothing is written to disk or sent.

The only thing read here are the pixels of the analysed series, for the picture.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from pydicom.dataset import Dataset

from hilum.objects import pdf, sc, seg, sr
from hilum.objects.analysis import Analysis
from hilum.objects.report import Report
from hilum.objects.seg import Encoding
from hilum.objects.withdrawal import write_withdrawal

__all__ = ["KINDS", "Analysis", "Encoding", "Writer", "write_objects", "write_withdrawal"]

KINDS = ("seg", "sr", "sc", "pdf")

# A writer sees what was written before it (the SR refers to the SEG) and leaves out a kind that
# does not apply by returning None.
Writer = Callable[[Report, Mapping[str, Dataset]], Dataset | None]


def write_objects(
    analysis: Analysis, kinds: Sequence[str] = KINDS, segmentation: Encoding = "auto"
) -> dict[str, Dataset]:
    """The SOP instances which tell `analysis`, by kind, ready for `save_as` or sending.

    The same arguments give identical bytes. A kind that does not apply is left out: no Segmentation
    without segments. Without "seg" the measurement report refers to no segmentation, so that a
    destination never receives a dangling reference; its UID then differs, too.

    Parameters
    ----------
    analysis : Analysis
        What was found, by what, on what.
    kinds : sequence of str
        Any of "seg", "sr", "sc" and "pdf".
    segmentation : {"auto", "binary", "fractional"}
        Segmentation Type (PS3.3 C.8.20.2). "auto" is FRACTIONAL where Rows x Columns is no multiple
        of 8, because OHIF scrambles such BINARY objects silently, else BINARY.
    """
    writers: dict[str, Writer] = {
        "seg": partial(seg.write, encoding=segmentation),
        "sr": sr.write,
        "sc": sc.write,
        "pdf": pdf.write,
    }
    report = Report(analysis)
    written: dict[str, Dataset] = {}
    for kind, write in writers.items():
        dataset = write(report, written) if kind in kinds else None
        if dataset is not None:
            written[kind] = dataset
    return written
