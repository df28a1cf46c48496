"""What a module reports. Writers turn a list of findings into DICOM objects.

A finding that cannot be written is refused where it is made: `FindingError`, which is a ValueError.
"""

import re
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

import numpy as np
from highdicom import Volume
from pydicom.sr.coding import Code

from hilum import checks
from hilum.dicom import codes
from hilum.errors import FindingError

DAYS_PER_YEAR = 365.25
CAUTION = "Low confidence: "  # how a note that is one begins
LEAST_YEARS = 0.25  # three months; a change per year says nothing below
TELLING = 2  # standard deviations from which on a number differs from none


@dataclass(frozen=True, eq=False)
class Segment:
    """A region: boolean `mask` (slices, rows, columns) on the grid of the series it was found in.

    `code` is the segmented property type (PS3.16 CID 7192 ff.), `modifier` narrows it (anterior),
    `side` is given only when known. `colour` is sRGB, 0-255.
    """

    mask: Volume
    code: Code
    label: str
    modifier: Code | None = None
    side: Code | None = None
    category: Code = codes.ANATOMICAL_STRUCTURE
    colour: tuple[int, int, int] = (255, 200, 0)

    def __post_init__(self) -> None:
        label = checks.label("the label of a segment", self.label)
        what = f"of the segment {label!r}"
        _settle(
            self,
            label=label,
            mask=checks.mask(f"the mask {what}", self.mask),
            code=checks.code(f"the code {what}", self.code),
            modifier=checks.code_if_any(f"the modifier {what}", self.modifier),
            side=checks.side(f"the side {what}", self.side, label),
            category=checks.code(f"the category {what}", self.category),
            colour=checks.colour(f"the colour {what}", self.colour),
        )
        checks.label(f"the label {what}, with its side,", self.name)

    @property
    def name(self) -> str:
        """What a reader calls it: the label, with the side where the label does not say it."""
        side = self.side.meaning.lower() if self.side else ""
        return self.label if side in _words(self.label) or not side else f"{self.label}, {side}"

    @cached_property
    def volume_mm3(self) -> float:
        """Voxels times voxel volume, in cubic millimetres."""
        return float(self.mask.array.sum() * self.mask.voxel_volume)

    @property
    def volume_ml(self) -> float:
        """Voxels times voxel volume, in millilitres."""
        return self.volume_mm3 / 1000


@dataclass(frozen=True)
class Measurement:
    """A number with its unit (UCUM), of one segment, one image or of the whole input.

    `uncertainty` is one standard deviation in the same unit, None where it was not estimated. One
    that is `followed` is compared with those of earlier exams of the same patient.
    """

    code: Code
    value: float
    unit: Code
    of: Segment | None = None
    uncertainty: float | None = None
    image: str | None = None
    followed: bool = False

    def __post_init__(self) -> None:
        code = checks.code("the code of a measurement", self.code)
        what = f"of the measurement {code.meaning!r}"
        if self.of is not None and not isinstance(self.of, Segment):
            raise FindingError(f"the `of` {what} is no Segment")
        _settle(
            self,
            value=checks.number(f"the value {what}", self.value),
            unit=checks.code(f"the unit {what}", self.unit),
            uncertainty=checks.number_if_any(f"the uncertainty {what}", self.uncertainty, 0),
            image=checks.image(f"the image {what}", self.image),
            followed=checks.yes_or_no(f"followed {what}", self.followed),
        )

    @property
    def label(self) -> str:
        """What a report calls it: the segment where it is its volume, else what was measured."""
        if self.of is None:
            return self.code.meaning
        volume = self.code == codes.VOLUME
        return self.of.name if volume else f"{self.of.name}: {self.code.meaning}"


@dataclass(frozen=True)
class Earlier:
    """A measurement in an earlier exam of the same patient, in the unit of the present one.

    `day` is the date of that study; the UIDs are those of the report that it was read from.
    """

    day: date
    value: float
    uncertainty: float
    study_uid: str
    series_uid: str
    sop_instance_uid: str


@dataclass(frozen=True)
class Change:
    """A followed measurement beside the same one in earlier exams, the oldest first.

    All come from the same network, so that they can be compared at all. The numbers are against the
    latest of them. Their errors are taken as independent: those of one person are alike in part, so
    the uncertainty, one standard deviation, is rather too large than too small.
    """

    of: Measurement
    day: date
    earlier: tuple[Earlier, ...]

    @property
    def latest(self) -> Earlier:
        return self.earlier[-1]

    @property
    def years(self) -> float:
        """The difference to the latest earlier exam."""
        return (self.day - self.latest.day).days / DAYS_PER_YEAR

    @property
    def difference(self) -> float:
        """In the unit of the measurement; positive where it has grown."""
        return self.of.value - self.latest.value

    @property
    def difference_uncertainty(self) -> float:
        return float(np.hypot(self.of.uncertainty or 0.0, self.latest.uncertainty))

    @property
    def is_telling(self) -> bool:
        """Whether it is larger than the measurements' own uncertainty can well explain."""
        return abs(self.difference) >= TELLING * self.difference_uncertainty

    @property
    def percent_per_year(self) -> float | None:
        """Of the earlier value; None for exams so close that their noise would fill it."""
        if self.years < LEAST_YEARS or not self.latest.value:
            return None
        return 100 * self.difference / self.latest.value / self.years

    @property
    def percent_per_year_uncertainty(self) -> float | None:
        if self.percent_per_year is None or not self.of.value:
            return None
        shares = (
            (self.of.uncertainty or 0.0) / self.of.value,
            self.latest.uncertainty / self.latest.value,
        )
        ratio = self.of.value / self.latest.value
        return float(100 * abs(ratio) * np.hypot(*shares) / self.years)


@dataclass(frozen=True)
class Score:
    """How strongly one group is indicated, 0-1."""

    code: Code
    label: str
    value: float

    def __post_init__(self) -> None:
        label = checks.label("the label of a score", self.label)
        _settle(
            self,
            code=checks.code(f"the code of the score {label!r}", self.code),
            label=label,
            value=checks.number(f"the value of the score {label!r}", self.value, 0, 1),
        )


@dataclass(frozen=True)
class Classification:
    """The scores of named groups, the highest first.

    `outcome` is the one that is reported, or None: the network abstains ("indeterminate"). `basis`
    is the sentence that says what a score is, and what it is not. `threshold`, 0-1, is the score
    below which it abstains, None where no single number decides.
    """

    scores: tuple[Score, ...]
    outcome: Score | None
    basis: str
    image: str | None = None
    threshold: float | None = None

    def __post_init__(self) -> None:
        scores = tuple(self.scores)
        if not scores or not all(isinstance(score, Score) for score in scores):
            raise FindingError("the scores of a classification are one or more Score")
        if self.outcome is not None and self.outcome not in scores:
            raise FindingError("the outcome of a classification is none of its scores")
        threshold = "the threshold of a classification"
        _settle(
            self,
            scores=scores,
            basis=checks.text("the basis of a classification", self.basis),
            image=checks.image("the image of a classification", self.image),
            threshold=checks.number_if_any(threshold, self.threshold, 0, 1),
        )


@dataclass(frozen=True, eq=False)
class HeatMap:
    """Where the evidence lies: `values` 0-1 on a grid over one image, float32 (rows, columns).

    The grid covers the whole image and may be coarser; nobody sees more than a thousand fields.
    `region`, boolean on the same grid, is where evidence should lie, such as the lungs.
    """

    values: np.ndarray
    label: str
    image: str
    region: np.ndarray | None = None

    def __post_init__(self) -> None:
        label = checks.label("the label of a heat map", self.label)
        what = f"the heat map {label!r}"
        if self.image is None:
            raise FindingError(f"{what} is about no image")
        values = checks.map_values(what, self.values)
        _settle(
            self,
            label=label,
            image=checks.image(f"the image of {what}", self.image),
            region=checks.map_region(what, self.region, values),
        )


@dataclass(frozen=True)
class Refusal:
    """The module could not analyse the input, or one image of it.

    `code` is a short slug. `text` is the reason for a clinician, a clause that can follow
    "could not be analysed, because ...".
    """

    code: str
    text: str
    image: str | None = None

    def __post_init__(self) -> None:
        _settle(
            self,
            code=checks.label("the code of a refusal", self.code),
            text=checks.text("the text of a refusal", self.text),
            image=checks.image("the image of a refusal", self.image),
        )

    @property
    def sentence(self) -> str:
        """The whole sentence, as every result shows it."""
        return f"Could not be analysed, because {_clause(self.text)}."


@dataclass(frozen=True)
class Note:
    """A remark a reader must see beside the result.

    One that is a `caution` says why the result deserves little confidence: `text` is the reason, a
    clause that can follow "Low confidence:".
    """

    text: str
    image: str | None = None
    caution: bool = False

    def __post_init__(self) -> None:
        _settle(
            self,
            text=checks.text("the text of a note", self.text),
            image=checks.image("the image of a note", self.image),
            caution=checks.yes_or_no("whether a note is a caution", self.caution),
        )

    @property
    def sentence(self) -> str:
        """The remark, as every result shows it."""
        return f"{CAUTION}{_clause(self.text)}." if self.caution else self.text


Finding = Segment | Measurement | Change | Classification | HeatMap | Refusal | Note


@dataclass(frozen=True)
class Findings:
    """All findings of one run, in the order the module gave them.

    A finding with an `image` (SOP Instance UID) is about that image, one without about the whole
    input; a segment is about the series whose grid it is on.
    """

    items: tuple[Finding, ...] = field(default=())

    @property
    def segments(self) -> tuple[Segment, ...]:
        return tuple(f for f in self.items if isinstance(f, Segment))

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        return tuple(f for f in self.items if isinstance(f, Measurement))

    @property
    def changes(self) -> tuple[Change, ...]:
        return tuple(f for f in self.items if isinstance(f, Change))

    @property
    def classifications(self) -> tuple[Classification, ...]:
        return tuple(f for f in self.items if isinstance(f, Classification))

    @property
    def heat_maps(self) -> tuple[HeatMap, ...]:
        return tuple(f for f in self.items if isinstance(f, HeatMap))

    @property
    def refusal(self) -> Refusal | None:
        """Why there is no result at all; a refused image beside analysed ones is none."""
        return next((f for f in self.items if isinstance(f, Refusal) and not f.image), None)

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        return tuple(f for f in self.items if isinstance(f, Refusal))

    @property
    def images(self) -> frozenset[str]:
        """The images (SOP Instance UIDs) that some finding is about."""
        return frozenset(image for image in map(image_of, self.items) if image)

    def about(self, image: str | None) -> "Findings":
        """Those about one image, or with None about the whole input."""
        return Findings(tuple(f for f in self.items if image_of(f) == image))

    @property
    def notes(self) -> tuple[Note, ...]:
        return tuple(f for f in self.items if isinstance(f, Note))


def _settle(finding: object, **values: object) -> None:
    """Put the plain values in place of those that were given; only while `finding` is made."""
    for name, value in values.items():
        object.__setattr__(finding, name, value)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _clause(text: str) -> str:
    """`text` as it stands within a sentence."""
    text = text.strip().rstrip(".")
    if text[1:2].islower():  # an abbreviation keeps its capitals
        text = text[:1].lower() + text[1:]
    return text


def image_of(finding: Finding) -> str | None:
    """The SOP Instance UID of the image `finding` is about; None for the whole input."""
    return None if isinstance(finding, Segment | Change) else finding.image
