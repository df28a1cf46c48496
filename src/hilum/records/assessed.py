"""What readers said of results: each assessment as a value, and how a result stands with them."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from hilum.assessments.decision import AssessmentDecision
from hilum.records.states import AssessmentStanding


@dataclass(frozen=True)
class Assessment:
    """What one reader said of the result of one workitem, at one time (s since 1970).

    It is of exactly that version of the result: those images, that module, version and weights. It
    is the `number`-th of that result. `reader` is a name for people; `identity` is who that is for
    sure, as of a `Visitor`. The reason is free text, so it may name a patient. What came as a DICOM
    object has the calling AE title of its `sender`, and its SOP Instance UID; both are "" of what
    was said here.
    """

    workitem_id: str
    number: int
    at: float
    reader: str
    identity: str
    decision: AssessmentDecision
    reason: str = field(repr=False)
    sender: str = ""
    object_uid: str = ""


def last_of_each(said: Iterable[Assessment]) -> tuple[Assessment, ...]:
    """The last word of each reader on one result, in the order in which they were said.

    An object that says it may come late, and then counts as when it was made.
    """
    in_order = sorted(said, key=lambda one: (one.at, one.number))
    last = {one.identity: one for one in in_order}
    return tuple(one for one in in_order if one is last[one.identity])


def standing_with(said: Iterable[Assessment]) -> AssessmentStanding:
    """How one result stands with its readers."""
    decisions = {one.decision for one in last_of_each(said)}
    if not decisions:
        return AssessmentStanding.NOT_ASSESSED
    if len(decisions) > 1:
        return AssessmentStanding.DISAGREED
    return AssessmentStanding(decisions.pop())
