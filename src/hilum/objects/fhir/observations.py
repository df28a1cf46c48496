"""The content of the measurement report as Observations (HL7 "DICOM SR to FHIR", in R4).

A measurement group is an Observation that has its numbers and evaluations as members.
"""

from collections import Counter
from dataclasses import dataclass, field

from hilum.dicom import codes
from hilum.dicom.uids import derived_uid
from hilum.objects.fhir.datatypes import (
    Json,
    coding,
    concept,
    place,
    quantity,
    site,
    uid,
)
from hilum.objects.stated import (
    Member,
    StatedEvaluation,
    StatedGroup,
    StatedNumber,
    StatedReport,
    StatedWithoutValue,
)

IMAGING = "http://terminology.hl7.org/CodeSystem/observation-category"
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
DERIVED = "derived"  # of what the UIDs of the numbers of the whole follow from


@dataclass(frozen=True)
class Context:
    """What all Observations of one report share.

    `uid` is that of the report, from which theirs follow, and `common` the elements that each has.
    """

    uid: str
    common: Json
    method: str  # the algorithm, in words
    used: Counter[str] = field(default_factory=Counter)

    def next_uid(self, *what: str) -> str:
        """The UID of the next Observation of `what`: the same in a report that replaces this."""
        key = "\x1f".join(what)
        self.used[key] += 1
        return derived_uid("observation", self.uid, key, str(self.used[key]))


@dataclass(frozen=True)
class Made:
    """Observations, each after those that it has as members, and which of them stand alone."""

    resources: tuple[Json, ...] = ()
    top: tuple[str, ...] = ()  # their UIDs

    def __add__(self, other: "Made") -> "Made":
        return Made(self.resources + other.resources, self.top + other.top)


def observations(stated: StatedReport, context: Context) -> Made:
    """All Observations of what a report states."""
    made = Made()
    for group in stated.groups:
        made += _group(group, context)
    for member in stated.whole:
        made += _member(member, DERIVED, StatedGroup(""), context)
    for member in stated.evaluations:
        made += _member(member, "", StatedGroup(""), context)
    return made


def _group(group: StatedGroup, context: Context) -> Made:
    members = Made()
    for member in group.members:
        members += _member(member, group.tracking_uid, group, context)
    own = context.next_uid("group", group.tracking_uid)
    identifiers = [uid(own, "observation-uid")]
    if group.tracking_uid:
        identifiers.append(uid(group.tracking_uid, "tracking-uid"))
    notes = [{"text": text} for text in group.comments]
    observation: Json = {
        "resourceType": "Observation",
        "identifier": identifiers,
        **context.common,
        "code": concept(codes.MEASUREMENT_GROUP, group.label),
        **({"valueCodeableConcept": concept(group.finding)} if group.finding else {}),
        **({"note": notes} if notes else {}),
        **_where(group),
    }
    if members.top:
        observation["hasMember"] = [{"reference": place(member)} for member in members.top]
    return Made((*members.resources, observation), (own,))


def _member(member: Member, key: str, group: StatedGroup, context: Context) -> Made:
    """One number or evaluation of a group; `key` tells it from the same one of another group."""
    name = member.code
    own = context.next_uid("member", key, name.scheme_designator, name.value)
    text = f"{group.label}: {name.meaning}" if group.label else name.meaning
    observation: Json = {
        "resourceType": "Observation",
        "identifier": [uid(own, "observation-uid")],
        **context.common,
        "category": [_category(member)],
        "code": concept(name, text),
        **_value(member),
        **_where(group),
        "method": {"coding": [coding(codes.ARTIFICIAL_INTELLIGENCE)], "text": context.method},
    }
    if isinstance(member, StatedNumber) and member.properties:
        parts = [{"code": concept(part.code), **_value(part)} for part in member.properties]
        observation["component"] = parts
    return Made((observation,), (own,))


def _value(member: Member) -> Json:
    """What is stated, as the element of an Observation: a number or a code."""
    if isinstance(member, StatedEvaluation):
        return {"valueCodeableConcept": concept(member.value)}
    if isinstance(member, StatedWithoutValue):
        return {"dataAbsentReason": {"coding": [{"system": ABSENT, "code": "unknown"}]}}
    return {"valueQuantity": quantity(member.value, member.unit)}


def _category(member: Member) -> Json:
    if isinstance(member, StatedEvaluation):
        return concept(codes.QUALITATIVE_EVALUATIONS)
    return {"coding": [{"system": IMAGING, "code": "imaging", "display": "Imaging"}]}


def _where(group: StatedGroup) -> Json:
    return {"bodySite": site(group.site)} if group.site else {}
