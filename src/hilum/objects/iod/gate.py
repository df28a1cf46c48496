"""The gate for DICOM objects that a module wrote itself: what leaves Hilum is of the right patient.

| of the object            | what is sent                                                        |
|--------------------------|---------------------------------------------------------------------|
| patient, study           | those of the analysed images, at the top; nowhere else              |
| UIDs                     | ours, which follow from the run; references among the objects, too  |
| references               | only to images of this study; an image that names none names those  |
| equipment, dates, series | ours, as on every result; "not for diagnosis"                       |
| private attributes       | none: nobody knows what they hold                                   |
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy

from pydicom.datadict import dictionary_has_tag
from pydicom.dataset import Dataset

from hilum.dicom import codes
from hilum.dicom.identity import PATIENT_AND_STUDY
from hilum.errors import FindingError
from hilum.findings import OwnObject
from hilum.objects.analysis import Analysis
from hilum.objects.iod.common import (
    OWN_SERIES_NUMBER,
    reference,
    series_instance_uid,
    sop_instance_uid,
    stamp,
)

KIND = "own"
INSTANCE, SERIES = "ReferencedSOPInstanceUID", "SeriesInstanceUID"
STUDY = "StudyInstanceUID"
COPIED = (  # references that modules copy with a header; they are not what the object is about
    "ReferencedImageSequence",
    "ReferencedPatientSequence",
    "ReferencedPerformedProcedureStepSequence",
    "ReferencedStudySequence",
    "RequestAttributesSequence",
)
TEXTS = ("LO", "LT", "PN", "SH", "ST", "UC", "UT")


def admitted(analysis: Analysis) -> list[Dataset]:
    """The objects that the module of `analysis` wrote itself, as they are sent.

    Raises
    ------
    FindingError
        One refers to what is not of this study.
    """
    objects = [deepcopy(own.dataset) for own in analysis.findings.of(OwnObject)]
    groups = list(dict.fromkeys(map(_group, objects)))
    numbers: dict[tuple[str, ...], int] = {}
    renamed: dict[str, str] = {}
    placed = []
    for written in objects:
        group = _group(written)
        numbers[group] = numbers.get(group, 0) + 1
        variant = str(groups.index(group) + 1)
        uid = sop_instance_uid(analysis, KIND, variant, numbers[group])
        first = sop_instance_uid(analysis, KIND, variant)
        renamed[str(written.get("SOPInstanceUID"))] = uid
        renamed[str(written.get(SERIES))] = series_instance_uid(first)
        placed.append((written, variant, numbers[group]))
    return [_admitted(analysis, *place, renamed) for place in placed]


def _group(written: Dataset) -> tuple[str, ...]:
    """What objects of one series share (PS3.3 A.1.2.3)."""
    return tuple(str(written.get(name, "")) for name in (SERIES, "Modality", "SOPClassUID"))


def _admitted(
    analysis: Analysis, written: Dataset, variant: str, number: int, renamed: Mapping[str, str]
) -> Dataset:
    syntax = written.file_meta.TransferSyntaxUID
    _cleared(written)
    for problem in _refer(written, analysis, renamed):
        raise FindingError(f"an own DICOM object cannot be sent: {problem}")
    if "Rows" in written and not _refers(written):
        written.SourceImageSequence = _sources(analysis)
    stamp(written, analysis, KIND, variant, number, tuple(_texts(written)))
    written.SeriesNumber = OWN_SERIES_NUMBER + int(variant)
    written.file_meta.TransferSyntaxUID = syntax
    return written


def _cleared(written: Dataset) -> None:
    """Take out what names a patient or an order, whatever the module wrote there."""
    written.remove_private_tags()
    for keyword in COPIED[1:]:
        written.pop(keyword, None)
    if "ContentSequence" in written:
        written.ReferencedPerformedProcedureStepSequence = None  # type 2 (PS3.3 C.17.1)
    for level in _levels(written):
        for element in list(level):
            about_patient = element.tag.group == 0x0010
            named = element.keyword in PATIENT_AND_STUDY and element.keyword != STUDY
            if about_patient or named or not dictionary_has_tag(element.tag):
                del level[element.tag]


def _refer(written: Dataset, analysis: Analysis, renamed: Mapping[str, str]) -> Iterator[str]:
    """Rename references to other own objects; each reason why another cannot be kept."""
    images = {i.sop_instance_uid for i in analysis.study.instances}
    series = {i.series_uid for i in analysis.study.instances}
    known = {INSTANCE: images, SERIES: series, STUDY: {analysis.study.uid}}
    copied = written.get(COPIED[0])
    if copied and any(str(item.get(INSTANCE)) not in images for item in copied):
        del written[COPIED[0]]
    for level in _levels(written):
        if level is written:
            continue
        for keyword, ours in known.items():
            value = str(level.get(keyword) or "")
            if not value:
                continue
            if value in renamed:
                level[keyword].value = renamed[value]
            elif value not in ours:
                yield f"its {keyword} is not of the study that was analysed"


def _refers(written: Dataset) -> bool:
    return any(INSTANCE in level for level in _levels(written))


def _sources(analysis: Analysis) -> Sequence[Dataset]:
    sources = [reference(i.sop_class_uid, i.sop_instance_uid) for i in analysis.instances]
    for source in sources:
        source.PurposeOfReferenceCodeSequence = [codes.item(codes.SOURCE_IMAGE)]
    return sources


def _texts(written: Dataset) -> Iterator[str]:
    for element in written.iterall():
        if element.VR in TEXTS:
            yield str(element.value)


def _levels(dataset: Dataset) -> Iterator[Dataset]:
    """The data set and the items of all its sequences."""
    yield dataset
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                yield from _levels(item)
