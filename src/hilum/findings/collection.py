"""All that one run found."""

from dataclasses import dataclass, field
from typing import TypeVar

from hilum.findings.classification import Classification
from hilum.findings.finding import Finding, image_of, with_parts
from hilum.findings.heat_map import HeatMap
from hilum.findings.measurement import Change, Measurement
from hilum.findings.remarks import Note, Refusal
from hilum.findings.shape import Shape
from hilum.findings.structure import Structure

Kind = TypeVar("Kind", bound=Finding)


@dataclass(frozen=True)
class Findings:
    """All findings of one run, in the order the module gave them.

    A finding with an `image` (SOP Instance UID) is about that image, one without about the whole
    input; a segment is about the series whose grid it is on.
    """

    items: tuple[Finding, ...] = field(default=())

    def of(self, kind: type[Kind]) -> tuple[Kind, ...]:
        """All of one kind."""
        return tuple(finding for finding in self.items if isinstance(finding, kind))

    @property
    def segments(self) -> tuple[Structure, ...]:
        """Every structure: segments, and those of label maps."""
        return tuple(each for each in with_parts(self.items) if isinstance(each, Structure))

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        return self.of(Measurement)

    @property
    def changes(self) -> tuple[Change, ...]:
        return self.of(Change)

    @property
    def classifications(self) -> tuple[Classification, ...]:
        return self.of(Classification)

    @property
    def heat_maps(self) -> tuple[HeatMap, ...]:
        return self.of(HeatMap)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """What is drawn upon the images: points, boxes, lengths and angles."""
        return tuple(finding for finding in self.items if isinstance(finding, Shape))

    @property
    def notes(self) -> tuple[Note, ...]:
        return self.of(Note)

    @property
    def refusals(self) -> tuple[Refusal, ...]:
        return self.of(Refusal)

    @property
    def refusal(self) -> Refusal | None:
        """Why there is no result at all; a refused image beside analysed ones is none."""
        return next((refusal for refusal in self.refusals if not refusal.image), None)

    @property
    def images(self) -> frozenset[str]:
        """The images (SOP Instance UIDs) that some finding is about."""
        return frozenset(image for image in map(image_of, self.items) if image)

    def about(self, image: str | None) -> "Findings":
        """Those about one image, or with None about the whole input."""
        return Findings(tuple(f for f in self.items if image_of(f) == image))
