"""The content of the measurement report as Observations (HL7 "DICOM SR to FHIR", in R4).

A measurement group is an Observation that has its numbers and evaluations as members. What is read
here are the content items that the report consists of, whoever has written them, so that both say
the same, in the same codes.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code

from hilum.dicom import codes
from hilum.dicom.uids import derived_uid
from hilum.objects.fhir.datatypes import (
    Json,
    children,
    code_in,
    coding,
    concept,
    place,
    quantity,
    site,
    uid,
)

IMAGING = "http://terminology.hl7.org/CodeSystem/observation-category"
ABSENT = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
CONTAINERS = (codes.IMAGING_MEASUREMENTS, codes.DERIVED_IMAGING_MEASUREMENTS)


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


@dataclass(frozen=True)
class _Group:
    """What a measurement group says of all its members: where, and what it is called."""

    label: str = ""
    key: str = ""
    site: Mapping[str, object] = field(default_factory=dict)


def observations(items: Sequence[Dataset], context: Context) -> Made:
    """All Observations of a report with these content items."""
    made = Made()
    for item in items:
        name = code_in(item.get("ConceptNameCodeSequence"))
        if item.ValueType == "CONTAINER" and name in CONTAINERS:
            made += _measurements(item, context)
        elif item.ValueType == "CONTAINER" and name == codes.QUALITATIVE_EVALUATIONS:
            made += _members(item, context, _Group())
    return made


def comments(items: Sequence[Dataset]) -> list[str]:
    """The sentences of a report that are about the whole of it."""
    return [
        text
        for item in items
        if code_in(item.get("ConceptNameCodeSequence")) == codes.QUALITATIVE_EVALUATIONS
        for text in _comments(item)
    ]


def value_of(item: Dataset) -> Json:
    """What a content item states, as the element of an Observation: number, code or text."""
    if item.ValueType == "NUM":
        if not item.get("MeasuredValueSequence"):
            return {"dataAbsentReason": {"coding": [{"system": ABSENT, "code": "unknown"}]}}
        [measured] = item.MeasuredValueSequence
        unit = code_in(measured.get("MeasurementUnitsCodeSequence")) or codes.NO_UNITS
        return {"valueQuantity": quantity(float(str(measured.NumericValue)), unit)}
    value = code_in(item.get("ConceptCodeSequence"))
    return {"valueCodeableConcept": concept(value)} if value else {}


def _measurements(container: Dataset, context: Context) -> Made:
    made = Made()
    for item in children(container):
        if item.ValueType == "CONTAINER":
            made += _group(item, context)
    return made + _members(container, context, _Group(key="derived"))


def _group(item: Dataset, context: Context) -> Made:
    texts = {_name(one): one for one in children(item)}
    tracked = texts.get(codes.TRACKING_UNIQUE_IDENTIFIER)
    label = texts.get(codes.TRACKING_IDENTIFIER)
    where = texts.get(codes.FINDING_SITE)
    tracking_uid = str(tracked.UID) if tracked else ""
    group = _Group(
        str(label.TextValue) if label else "",
        tracking_uid,
        {"bodySite": _site(where)} if where else {},
    )
    members = _members(item, context, group)
    own = context.next_uid("group", tracking_uid)
    identifiers = [uid(own, "observation-uid")]
    if tracking_uid:
        identifiers.append(uid(tracking_uid, "tracking-uid"))
    finding = texts.get(codes.FINDING)
    said = _comments(item)
    observation: Json = {
        "resourceType": "Observation",
        "identifier": identifiers,
        **context.common,
        "code": concept(codes.MEASUREMENT_GROUP, group.label),
        **(value_of(finding) if finding else {}),
        **({"note": [{"text": text} for text in said]} if said else {}),
        **group.site,
    }
    if members.top:
        observation["hasMember"] = [{"reference": place(member)} for member in members.top]
    return Made((*members.resources, observation), (own,))


def _members(container: Dataset, context: Context, group: _Group) -> Made:
    """The numbers and evaluations of a container, but not the finding that it is about."""
    made = Made()
    for item in children(container):
        name = _name(item)
        is_member = item.ValueType == "NUM" or (
            item.ValueType == "CODE"
            and item.RelationshipType == "CONTAINS"
            and name != codes.FINDING
        )
        if is_member and name is not None:
            made += _member(item, name, context, group)
    return made


def _member(item: Dataset, name: Code, context: Context, group: _Group) -> Made:
    own = context.next_uid("member", group.key, name.scheme_designator, name.value)
    text = f"{group.label}: {name.meaning}" if group.label else name.meaning
    observation: Json = {
        "resourceType": "Observation",
        "identifier": [uid(own, "observation-uid")],
        **context.common,
        "category": [_category(item)],
        "code": concept(name, text),
        **value_of(item),
        **group.site,
        "method": {"coding": [coding(codes.ARTIFICIAL_INTELLIGENCE)], "text": context.method},
    }
    if parts := list(_components(item)):
        observation["component"] = parts
    return Made((observation,), (own,))


def _category(item: Dataset) -> Json:
    if item.ValueType == "NUM":
        return {"coding": [{"system": IMAGING, "code": "imaging", "display": "Imaging"}]}
    return concept(codes.QUALITATIVE_EVALUATIONS)


def _components(item: Dataset) -> Iterator[Json]:
    """The properties of a number, such as its uncertainty."""
    for part in children(item):
        name = _name(part)
        if part.ValueType == "NUM" and name is not None:
            yield {"code": concept(name), **value_of(part)}


def _site(item: Dataset) -> Json:
    below = {_name(part): code_in(part.get("ConceptCodeSequence")) for part in children(item)}
    structure = code_in(item.ConceptCodeSequence)
    assert structure is not None, "a CODE item has a value (PS3.3 C.17.3)"
    return site(structure, below.get(codes.LATERALITY), below.get(codes.TOPOGRAPHICAL_MODIFIER))


def _comments(container: Dataset) -> list[str]:
    said = (item for item in children(container) if item.ValueType == "TEXT")
    return [str(item.TextValue) for item in said if _name(item) == codes.COMMENT]


def _name(item: Dataset) -> Code | None:
    return code_in(item.get("ConceptNameCodeSequence"))
