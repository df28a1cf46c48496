"""What a reader says of results in a DICOM object that somebody else has written.

Either a Key Object Selection Document whose title says it (PS3.16 TID 2010), or a report that a
person has verified: PS3.3 C.17.2.1 has them write a new one, which names ours as its predecessor.
It comes over the network like anything else, so nothing in it is believed that was not looked at.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import KeyObjectSelectionDocumentStorage

from hilum.assessments.decision import AssessmentDecision
from hilum.dicom import codes
from hilum.dicom.header import HOSTILE, text_of
from hilum.dicom.uids import is_uid
from hilum.objects.iod.assessment import TITLES
from hilum.wording import printable

KNOWN_TITLES: Mapping[str, AssessmentDecision] = {
    **{f"{code.value}^{code.scheme_designator}": said for said, code in TITLES.items()},
    **{
        f"{code.value}^{code.scheme_designator}": AssessmentDecision.REJECTED
        for code in (
            codes.QUALITY_ISSUE,
            codes.REJECTED_FOR_QUALITY,
            codes.REJECTED_FOR_PATIENT_SAFETY,
        )
    },
}
BROKEN = "it cannot be read"
NAMES_NOTHING = "it names no object"
NOT_A_TITLE = "its title ({}) says nothing of a result; `titles` in [assessment] may name it"
MOST_ITEMS = 100_000  # of one document
PLAIN = (  # attributes of one content item that say something by themselves
    *("TextValue", "UID", "PersonName", "DateTime", "Date", "Time"),
    *("GraphicType", "ReferencedFrameOfReferenceUID"),
)
REFERENCE = ("ReferencedSOPInstanceUID", "ReferencedFrameNumber", "ReferencedSegmentNumber")
STAMP = re.compile(r"(\d{8})(\d{2}(?:\d{2}(?:\d{2})?)?)?(?:\.\d+)?([+-]\d{4})?")


@dataclass(frozen=True)
class StatedAssessment:
    """What a document says of the objects with the UIDs `names`.

    The decision is None for a verified report: it is *accepted* if it says the same as ours. The
    reader is "" where the document does not name them, and so is the reason; `at` is None where it
    does not say when.
    """

    decision: AssessmentDecision | None
    names: frozenset[str]
    reader: str = field(repr=False)
    reason: str = field(repr=False)
    at: datetime | None


def stated_in(
    document: Dataset, titles: Mapping[str, AssessmentDecision]
) -> StatedAssessment | str:
    """What a document says; or why it says nothing of a result, "" of one that need not.

    `titles` are those that count besides `KNOWN_TITLES`, as value^scheme.
    """
    is_selection = text_of(document, "SOPClassUID") == KeyObjectSelectionDocumentStorage
    try:
        if is_selection:
            return _selected(document, {**KNOWN_TITLES, **titles})
        return _verified(document) or ""
    except HOSTILE:
        return BROKEN if is_selection else ""


def says_the_same(one: Dataset, other: Dataset) -> bool:
    """Whether two reports have the same content, whoever has written and verified them."""
    try:
        return list(_content(one)) == list(_content(other))
    except HOSTILE:
        return False


def _selected(
    document: Dataset, titles: Mapping[str, AssessmentDecision]
) -> StatedAssessment | str:
    title = document.ConceptNameCodeSequence[0]
    named = f"{text_of(title, 'CodeValue')}^{text_of(title, 'CodingSchemeDesignator')}"
    decision = titles.get(named)
    if decision is None:
        return NOT_A_TITLE.format(printable(named)[:33])
    items = list(document.get("ContentSequence", []))
    names = _names(
        reference for item in items for reference in item.get("ReferencedSOPSequence", [])
    )
    said = [
        _words(item.ConceptCodeSequence[0], "CodeMeaning")
        for item in _called(items, codes.KEY_OBJECT_TITLE_MODIFIER.value)
    ]
    said += [_words(i, "TextValue") for i in _called(items, codes.KEY_OBJECT_DESCRIPTION.value)]
    readers = [_words(i, "PersonName") for i in _called(items, codes.PERSON_OBSERVER_NAME.value)]
    if not names:
        return NAMES_NOTHING
    reason = "; ".join(filter(None, said))
    if not reason and decision is not AssessmentDecision.ACCEPTED:
        reason = _words(title, "CodeMeaning")
    day, time = text_of(document, "ContentDate"), text_of(document, "ContentTime")
    at = _moment(day + time, text_of(document, "TimezoneOffsetFromUTC"))
    return StatedAssessment(decision, names, next(iter(readers), ""), reason, at)


def _verified(document: Dataset) -> StatedAssessment | None:
    if text_of(document, "VerificationFlag") != "VERIFIED":
        return None
    names = _names(
        reference
        for study in document.get("PredecessorDocumentsSequence", [])
        for series in study.get("ReferencedSeriesSequence", [])
        for reference in series.get("ReferencedSOPSequence", [])
    )
    if not names:
        return None
    observer = max(
        document.get("VerifyingObserverSequence", []) or [Dataset()],
        key=lambda one: text_of(one, "VerificationDateTime"),
    )
    reader = _words(observer, "VerifyingObserverName")
    zone = text_of(document, "TimezoneOffsetFromUTC")
    at = _moment(text_of(observer, "VerificationDateTime"), zone)
    return StatedAssessment(None, names, reader, "", at)


def _names(references: Iterable[Dataset]) -> frozenset[str]:
    found = (text_of(reference, "ReferencedSOPInstanceUID") for reference in references)
    return frozenset(filter(is_uid, found))


def _words(item: Dataset, keyword: str) -> str:
    """A text as it may be put on record and shown: what cannot be printed is a space."""
    return printable(text_of(item, keyword)).strip()


def _called(items: list[Dataset], code: str) -> Iterator[Dataset]:
    for item in items:
        names = item.get("ConceptNameCodeSequence", [])
        if names and text_of(names[0], "CodeValue") == code:
            yield item


def _moment(stamp: str, zone: str) -> datetime | None:
    """A date with a time as DICOM writes them (PS3.5 6.2); of this machine's zone if none is."""
    found = STAMP.fullmatch(stamp)
    if not found or not found[2]:
        return None
    clock = found[2].ljust(6, "0")
    try:
        if offset := found[3] or zone:
            return datetime.strptime(f"{found[1]}{clock}{offset}", "%Y%m%d%H%M%S%z")
        return datetime.strptime(f"{found[1]}{clock}", "%Y%m%d%H%M%S").astimezone()
    except (ValueError, OverflowError):
        return None


def _content(document: Dataset) -> Iterator[tuple[Any, ...]]:
    """Every content item below a document with its depth: what it is, is called and says."""
    waiting = [(0, item) for item in reversed(document.get("ContentSequence", []))]
    count = 0
    while waiting:
        depth, item = waiting.pop()
        count += 1
        if count > MOST_ITEMS:
            raise ValueError("more items than any report of ours has")
        yield (
            depth,
            text_of(item, "ValueType"),
            _codes(item, "ConceptNameCodeSequence"),
            _value(item),
        )
        below = item.get("ContentSequence", [])
        waiting += [(depth + 1, inner) for inner in reversed(below)]


def _codes(item: Dataset, keyword: str) -> tuple[tuple[str, str], ...]:
    return tuple(
        (text_of(code, "CodeValue"), text_of(code, "CodingSchemeDesignator"))
        for code in item.get(keyword, [])
    )


def _value(item: Dataset) -> tuple[Any, ...]:
    """What one content item says, of whichever value type it is (PS3.3 C.17.3.2)."""
    texts = tuple(text_of(item, keyword) for keyword in PLAIN)
    measured = tuple(
        (float(one.NumericValue), _codes(one, "MeasurementUnitsCodeSequence"))
        for one in item.get("MeasuredValueSequence", [])
    )
    referenced = tuple(
        tuple(text_of(one, keyword) for keyword in REFERENCE)
        for one in item.get("ReferencedSOPSequence", [])
    )
    drawn = item.get("GraphicData") or ()
    points = tuple(map(float, drawn if hasattr(drawn, "__iter__") else [drawn]))
    return texts, _codes(item, "ConceptCodeSequence"), measured, referenced, points
