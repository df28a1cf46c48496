"""The withdrawal of a result, as a rejection note.

It is what IHE's Imaging Object Change Management defines: archives and viewers that know it hide
the objects it names; in all others it stands beside them and says why.
"""

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from hilum.dicom import codes
from hilum.dicom.instance import Instance
from hilum.objects.analysis import Analysis
from hilum.objects.iod import common
from hilum.objects.iod.key_objects import key_object_selection


def write_withdrawal(
    analysis: Analysis,
    results: Sequence[Instance],
    reason: str,
    variant: str = "",
    title: Code = codes.REJECTED_FOR_PATIENT_SAFETY,
) -> Dataset:
    """The note that takes back `results`, the objects that were written for `analysis`.

    `reason` is what the person who withdraws it says, `title` the same as a code of CID 7010.
    `variant` tells the notes apart that name other objects of one analysis.
    """
    dataset = key_object_selection(analysis, results, title, reason)
    return common.stamp(dataset, analysis, "ko", variant, texts=(reason,))
