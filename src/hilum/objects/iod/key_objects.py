"""Key Object Selection Documents about our results (PS3.3 A.35.4, PS3.16 TID 2010)."""

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


def key_object_selection(
    analysis: Analysis,
    results: Sequence[Instance],
    title: Code,
    description: str,
    context: Sequence[Dataset] = (),
) -> Dataset:
    """The document that names `results`, the objects that were written for `analysis`.

    What all result objects share is not written yet. `context` are the items that say who has
    observed it (TID 1002); a `description` that is "" is left out.
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
    children = list(context)
    if description:
        children.append(tree.text(codes.KEY_OBJECT_DESCRIPTION, description))
    for result in results:
        value_type = "IMAGE" if result.sop_class_uid in IMAGES else "COMPOSITE"
        children.append(tree.referenced(value_type, result.sop_class_uid, result.sop_instance_uid))
    dataset.update(tree.container(title, children, "2010", relation=""))
    return dataset
