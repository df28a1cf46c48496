"""What the measurement report states, read from its own content items (PS3.3 C.17.3).

FHIR resources, HL7 messages and JSON documents say what is read here. So they say the same as the
report, in the same codes and units, whoever has written the items: also one of a third party.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.valuerep import DSfloat

from hilum.dicom import codes
from hilum.objects.iod import sr
from hilum.objects.report import Report

CONTAINERS = (codes.IMAGING_MEASUREMENTS, codes.DERIVED_IMAGING_MEASUREMENTS)
SOURCES = (codes.SOURCE_OF_MEASUREMENT, codes.SOURCE)


@dataclass(frozen=True)
class StatedNumber:
    """A number in its `unit` (UCUM).

    `properties` are numbers about it, such as its uncertainty: one standard deviation.
    """

    code: Code
    value: float
    unit: Code
    properties: tuple["StatedNumber", ...] = ()

    @property
    def uncertainty(self) -> float | None:
        """One standard deviation, in the same unit."""
        of = (one.value for one in self.properties if one.code == codes.MEASUREMENT_UNCERTAINTY)
        return next(of, None)


@dataclass(frozen=True)
class StatedWithoutValue:
    """A number that the report names, and gives no value of."""

    code: Code


@dataclass(frozen=True)
class StatedEvaluation:
    """What something was found to be, as a code."""

    code: Code
    value: Code


@dataclass(frozen=True)
class StatedSite:
    """Where in the body, with its side and part."""

    structure: Code
    side: Code | None
    modifier: Code | None


Member = StatedNumber | StatedWithoutValue | StatedEvaluation


@dataclass(frozen=True)
class StatedGroup:
    """What belongs together: of one structure, score, film, line or whole result.

    `finding` is what it is about; `image` is the SOP Instance UID of the one image that it was made
    on, "" where that is none or several.
    """

    label: str
    tracking_uid: str = ""
    finding: Code | None = None
    site: StatedSite | None = None
    image: str = ""
    members: tuple[Member, ...] = ()
    comments: tuple[str, ...] = ()

    @property
    def numbers(self) -> tuple[StatedNumber, ...]:
        """Its members that are numbers and have a value."""
        return tuple(one for one in self.members if isinstance(one, StatedNumber))


@dataclass(frozen=True)
class StatedReport:
    """The measurement groups; the numbers of the `whole`, which have no group where others have.

    `evaluations` and `comments` are about the whole of it.
    """

    title: str
    groups: tuple[StatedGroup, ...]
    whole: tuple[Member, ...]
    evaluations: tuple[Member, ...]
    comments: tuple[str, ...]

    @classmethod
    def of(cls, report: Report) -> "StatedReport":
        """What the measurement report on `report` states."""
        items = list(sr.root(report))
        measured = [item for item in items if _is_container(item) and _name(item) in CONTAINERS]
        groups = [one for item in measured for one in _children(item) if _is_container(one)]
        evaluated = [item for item in items if _name(item) == codes.QUALITATIVE_EVALUATIONS]
        return cls(
            report.title,
            tuple(map(_group, groups)),
            tuple(member for item in measured for member in _members(item)),
            tuple(member for item in evaluated for member in _members(item)),
            tuple(text for item in evaluated for text in _comments(item)),
        )

    @property
    def numbered(self) -> tuple[StatedGroup, ...]:
        """Every group that has numbers; the last one is that of the whole."""
        whole = StatedGroup(self.title, members=self.whole)
        return tuple(group for group in (*self.groups, whole) if group.numbers)


def as_decimal(value: float) -> str:
    """A number as the report writes it: a decimal string of at most 16 characters (PS3.5 6.2)."""
    return str(DSfloat(value, auto_format=True))


def _group(item: Dataset) -> StatedGroup:
    texts = {_name(one): one for one in _children(item)}
    label = texts.get(codes.TRACKING_IDENTIFIER)
    tracked = texts.get(codes.TRACKING_UNIQUE_IDENTIFIER)
    finding, where = texts.get(codes.FINDING), texts.get(codes.FINDING_SITE)
    images = set(_images(item))
    return StatedGroup(
        str(label.TextValue) if label else "",
        str(tracked.UID) if tracked else "",
        _code_in(finding.get("ConceptCodeSequence")) if finding else None,
        _site(where) if where else None,
        images.pop() if len(images) == 1 else "",
        tuple(_members(item)),
        tuple(_comments(item)),
    )


def _members(container: Dataset) -> Iterator[Member]:
    """The numbers and evaluations of a container, but not the finding that it is about."""
    for item in _children(container):
        name = _name(item)
        if name is None:
            continue
        if item.ValueType == "NUM":
            yield _number(item, name)
        elif (
            item.ValueType == "CODE"
            and item.RelationshipType == "CONTAINS"
            and name != codes.FINDING
            and (value := _code_in(item.get("ConceptCodeSequence")))
        ):
            yield StatedEvaluation(name, value)


def _number(item: Dataset, name: Code) -> StatedNumber | StatedWithoutValue:
    if not item.get("MeasuredValueSequence"):
        return StatedWithoutValue(name)
    properties = tuple(one for one in _members(item) if isinstance(one, StatedNumber))
    measured = item.MeasuredValueSequence[0]
    unit = _code_in(measured.get("MeasurementUnitsCodeSequence")) or codes.NO_UNITS
    exact = measured.get("FloatingPointValue")
    value = float(str(measured.NumericValue)) if exact is None else float(exact)
    return StatedNumber(name, value, unit, properties)


def _site(item: Dataset) -> StatedSite:
    below = {_name(part): _code_in(part.get("ConceptCodeSequence")) for part in _children(item)}
    structure = _code_in(item.ConceptCodeSequence)
    assert structure is not None, "a CODE item has a value (PS3.3 C.17.3)"
    return StatedSite(
        structure, below.get(codes.LATERALITY), below.get(codes.TOPOGRAPHICAL_MODIFIER)
    )


def _images(item: Dataset) -> Iterator[str]:
    """The images that a group, or what its numbers were inferred from, lies on."""
    for part in _children(item):
        if part.ValueType == "IMAGE" and _name(part) in SOURCES:
            yield str(part.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
        elif part.ValueType in ("NUM", "SCOORD"):
            yield from _images(part)


def _comments(container: Dataset) -> Iterator[str]:
    for item in _children(container):
        if item.ValueType == "TEXT" and _name(item) == codes.COMMENT:
            yield str(item.TextValue)


def _children(item: Dataset) -> Iterable[Dataset]:
    below: Iterable[Dataset] = item.get("ContentSequence") or ()
    return below


def _is_container(item: Dataset) -> bool:
    return bool(item.ValueType == "CONTAINER")


def _name(item: Dataset) -> Code | None:
    return _code_in(item.get("ConceptNameCodeSequence"))


def _code_in(items: Sequence[Dataset] | None) -> Code | None:
    """The concept of a code sequence; None for one that is not there."""
    if not items:
        return None
    item = items[0]
    stated = (item.get(k) for k in ("CodeValue", "LongCodeValue", "URNCodeValue"))
    value = next(filter(None, stated), "")
    return Code(str(value), str(item.get("CodingSchemeDesignator", "")), str(item.CodeMeaning))
