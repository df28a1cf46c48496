"""The withdrawal of a result: a Key Object Selection Document (PS3.3 A.35.4, PS3.16 TID 2010).

A rejection note as IHE's Imaging Object Change Management defines it: archives and viewers that
know it hide the objects it names; in all others it stands beside them and says why.
"""

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import (
    KeyObjectSelectionDocumentStorage,
    ParametricMapStorage,
    SecondaryCaptureImageStorage,
)

from hilum.dicom import codes
from hilum.dicom.instance import Instance
from hilum.dicom.uids import SEGMENTATION_CLASSES
from hilum.objects.analysis import Analysis
from hilum.objects.iod import common
from hilum.objects.iod import content_tree as tree

IMAGES = (*SEGMENTATION_CLASSES, ParametricMapStorage, SecondaryCaptureImageStorage)


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
    dataset = Dataset()
    dataset.SOPClassUID = KeyObjectSelectionDocumentStorage
    dataset.Modality = "KO"
    dataset.ReferencedPerformedProcedureStepSequence = []
    series: dict[str, list[Dataset]] = {}
    for result in results:
        named = common.reference(result.sop_class_uid, result.sop_instance_uid)
        series.setdefault(result.series_uid, []).append(named)
    study = Dataset()
    study.StudyInstanceUID = analysis.study.uid
    study.ReferencedSeriesSequence = [
        common.series_reference(uid, named, "ReferencedSOPSequence")
        for uid, named in series.items()
    ]
    dataset.CurrentRequestedProcedureEvidenceSequence = [study]
    children = [tree.text(codes.KEY_OBJECT_DESCRIPTION, reason)]
    for result in results:
        value_type = "IMAGE" if result.sop_class_uid in IMAGES else "COMPOSITE"
        children.append(tree.referenced(value_type, result.sop_class_uid, result.sop_instance_uid))
    dataset.update(tree.container(title, children, "2010", relation=""))
    return common.stamp(dataset, analysis, "ko", variant, texts=(reason,))
