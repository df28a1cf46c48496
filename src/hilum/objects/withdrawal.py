"""The withdrawal of a result: a Key Object Selection Document (PS3.3 A.35.4, PS3.16 TID 2010).

A rejection note as IHE's Imaging Object Change Management defines it: archives and viewers that
know it hide the objects it names; in all others it stands beside them and says why.
"""

from collections.abc import Sequence

from pydicom.dataset import Dataset
from pydicom.uid import (
    KeyObjectSelectionDocumentStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from hilum.dicom import codes
from hilum.objects import common
from hilum.objects import content_tree as tree
from hilum.objects.analysis import Analysis

IMAGES = (SegmentationStorage, SecondaryCaptureImageStorage)


def write_withdrawal(
    analysis: Analysis, results: Sequence[tuple[str, str]], reason: str
) -> Dataset:
    """The note that takes back `results`, SOP (class, instance) UIDs, of the workitem `analysis`.

    `reason` is what the person who withdraws it says; it stands in the note and nowhere else.
    """
    dataset = Dataset()
    dataset.SOPClassUID = KeyObjectSelectionDocumentStorage
    dataset.Modality = "KO"
    dataset.ReferencedPerformedProcedureStepSequence = []
    evidence = [
        common.series_reference(
            common.series_instance_uid(uid),
            [common.reference(sop_class, uid)],
            "ReferencedSOPSequence",
        )
        for sop_class, uid in results
    ]
    study = Dataset()
    study.StudyInstanceUID = analysis.study.uid
    study.ReferencedSeriesSequence = evidence
    dataset.CurrentRequestedProcedureEvidenceSequence = [study]
    children = [tree.text(codes.KEY_OBJECT_DESCRIPTION, reason)]
    children += [
        tree.referenced("IMAGE" if sop_class in IMAGES else "COMPOSITE", sop_class, uid)
        for sop_class, uid in results
    ]
    title = codes.REJECTED_FOR_PATIENT_SAFETY
    dataset.update(tree.container(title, children, "2010", relation=""))
    return common.stamp(dataset, analysis, "ko")
