"""What a reader said of a result: a Key Object Selection Document that names the objects of it.

Its title is a code of ours. None of CID 7010 says that a result was accepted or supplemented, and
archives act on those that say *rejected*: they hide what the document names (IHE IOCM), although
another reader may think otherwise. A result is hidden by a withdrawal alone.
"""

from collections.abc import Sequence

from pydicom.dataset import Dataset

from hilum.assessments.decision import AssessmentDecision
from hilum.dicom import codes
from hilum.dicom.instance import Instance
from hilum.dicom.text import cleaned
from hilum.objects.analysis import Analysis
from hilum.objects.assessed import ReaderWord
from hilum.objects.iod import common
from hilum.objects.iod import content_tree as tree
from hilum.objects.iod.key_objects import key_object_selection

TITLES = {
    AssessmentDecision.ACCEPTED: codes.ACCEPTED_BY_READER,
    AssessmentDecision.REJECTED: codes.REJECTED_BY_READER,
    AssessmentDecision.SUPPLEMENTED: codes.SUPPLEMENTED_BY_READER,
}
KIND = "assessment"


def write_assessment(
    analysis: Analysis, results: Sequence[Instance], word: ReaderWord, variant: str = ""
) -> Dataset:
    """The note that says what a reader thinks of `results`, which were written for `analysis`.

    `variant` tells the notes apart that name other objects of one analysis.
    """
    said = word.reason
    if word.before:
        decision, at = word.before
        earlier = f"Said before, on {at:%Y-%m-%d %H:%M}: {decision}."
        said = f"{said}\n{earlier}" if said else earlier
    reader = _person_name(word.reader)
    observer = (
        tree.code(codes.OBSERVER_TYPE, codes.PERSON, tree.HAS_OBS_CONTEXT),
        tree.person(codes.PERSON_OBSERVER_NAME, reader, tree.HAS_OBS_CONTEXT),
    )
    title = TITLES[word.decision]
    dataset = key_object_selection(analysis, results, title, said, observer)
    dataset.CodingSchemeIdentificationSequence = [codes.own_scheme()]
    return common.stamp(dataset, analysis, KIND, variant, texts=(said, reader))


def _person_name(reader: str) -> str:
    """A name for people as a PN (PS3.5 6.2.1): one without components is a family name."""
    groups = (cleaned("PN", [reader]) or "Unnamed").split("=")
    return "=".join(one if not one or "^" in one else f"{one}^" for one in groups)
