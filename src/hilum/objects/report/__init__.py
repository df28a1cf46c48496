"""What every object says, in words and numbers; the picture and the PDF only lay it out."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from PIL import Image

from hilum.dicom import codes
from hilum.dicom.uids import derived_uid
from hilum.findings import (
    Change,
    Drawing,
    Findings,
    KeyImage,
    Measurement,
    ParametricMap,
    Plot,
    Structure,
    Table,
    Urgency,
)
from hilum.findings.finding import clause
from hilum.objects.analysis import Analysis
from hilum.objects.report.course import ChangeRow, Course, change_row
from hilum.objects.report.drawing import Marked, marked
from hilum.objects.report.films import (
    LOW_CONFIDENCE,
    NO_RESULT,
    FilmReport,
    Outcome,
    Tone,
    conclusion,
    films_of,
)
from hilum.objects.report.maps import mapped
from hilum.objects.report.origin import ResultOrigin
from hilum.objects.report.planes import Views
from hilum.objects.report.rows import DEFINITION, ONE_DEVIATION, Grid, Row, row_of, rows_of_scores
from hilum.objects.report.shapes import rows_of_shapes

NOT_FOR_DIAGNOSIS = "Research use only - not for diagnosis"
NO_WARNING = "No technical warning. This says nothing about what the images show."
DRAWN_BY = "Drawn by the module itself"
UNCERTAINTY = "A range of measurement uncertainty (+/-) is one standard deviation."


@dataclass(frozen=True)
class Report:
    """One analysis, as told to a clinician."""

    analysis: Analysis

    @cached_property
    def segments(self) -> tuple[Structure, ...]:
        """The segments that have voxels; an empty one can be neither drawn nor referred to."""
        return tuple(s for s in self.analysis.findings.segments if s.voxels)

    @cached_property
    def empty_segments(self) -> tuple[Structure, ...]:
        """The segments that the module looked for and did not find: their volume is 0."""
        return tuple(s for s in self.analysis.findings.segments if not s.voxels)

    @cached_property
    def numbered_segments(self) -> tuple[Structure, ...]:
        """The segments in order of their Segment Number: by their first slice, the last one first.

        Any order is valid DICOM. OHIF 3.13 puts segments that do not overlap into one label map;
        in another order it silently loses slices of one segment where an earlier one has none,
        because compactMergeSegData.js walks over the longer of two sparse arrays. It counts slices
        against the normal (row x column), we along it.
        """
        return tuple(sorted(self.segments, key=lambda s: -s.box[0].start))

    @cached_property
    def views(self) -> Views | None:
        """Cuts through the analysed series, None if there is none or it forms no volume."""
        series = self.analysis.series
        if series is None or series.stack.problem:
            return None
        return Views.of(series, self.segments, self.analysis.all_series)

    def tracking_uid(self, *what: str) -> str:
        """The tracking UID of `what`: the same in SEG, SR and every result on a study.

        So a result that replaces another one speaks of the same structures.
        """
        return derived_uid("tracking", self.analysis.study.uid, self.analysis.module.name, *what)

    def tracking_uid_of(self, segment: Structure) -> str:
        """The tracking UID of a structure, by its code, part, side and label, and its order."""
        found = self.analysis.findings.segments
        equals = [s for s in found if _structure(s) == _structure(segment)]
        return self.tracking_uid(*_structure(segment), str(equals.index(segment)))

    def measurements(self, segment: Structure | None) -> tuple[Measurement, ...]:
        """What was measured of `segment`, or with None of the whole series.

        The volume of a segment is always among them: it is voxels times voxel volume.
        """
        given = self.analysis.findings.measurements
        if segment is None:
            return tuple(m for m in given if m.of is None)
        own = tuple(m for m in given if m.of is segment)
        if any(m.code == codes.VOLUME for m in own):
            return own
        volume = Measurement(codes.VOLUME, segment.volume_mm3, codes.CUBIC_MILLIMETRE, of=segment)
        return (volume, *own)

    @property
    def title(self) -> str:
        return self.analysis.module.title

    @property
    def refusal(self) -> str | None:
        """The sentence that says why there is no result."""
        refusal = self.analysis.findings.refusal
        return refusal.sentence if refusal else None

    @property
    def urgencies(self) -> tuple[Urgency, ...]:
        return self.analysis.findings.of(Urgency)

    @property
    def tables(self) -> tuple[Table, ...]:
        return self.analysis.findings.of(Table)

    @property
    def plots(self) -> tuple[Plot, ...]:
        return self.analysis.findings.of(Plot)

    @cached_property
    def key_images(self) -> tuple[Marked, ...]:
        """The images to look at, in the order the module gave them, as far as they can be shown."""
        analysis, pictures = self.analysis, self.analysis.pictures
        return tuple(
            Marked(Image.fromarray(pictures[k.image]), k.text, "", analysis.by_uid[k.image].name)
            for k in analysis.findings.of(KeyImage)
            if k.image in pictures
        )

    @cached_property
    def drawn(self) -> tuple[Marked, ...]:
        """The pictures that the module has drawn itself."""
        found = self.analysis.findings.of(Drawing)
        return tuple(Marked(Image.fromarray(p.pixels), p.label, "", DRAWN_BY) for p in found)

    @property
    def incomplete(self) -> str | None:
        """The sentence that warns of missing images."""
        text = self.analysis.incomplete
        return f"INCOMPLETE - {text.strip().rstrip('.')}." if text else None

    @property
    def replaces(self) -> str | None:
        if not self.analysis.predecessor:
            return None
        return "This result replaces an earlier one of the same study."

    @property
    def confidence(self) -> Outcome | None:
        """Whether there is a result and how far to trust it; None if it is only incomplete."""
        if self.refusal:
            return Outcome(NO_RESULT, Tone.REFUSED, self.refusal)
        cautions = dict.fromkeys(note.text.strip() for note in self.whole.notes if note.caution)
        if cautions:
            reasons = (f"{text[:1].upper()}{text[1:].rstrip('.')}." for text in cautions)
            return Outcome(LOW_CONFIDENCE, Tone.ABSTAINED, " ".join(reasons))
        return None if self.incomplete else Outcome(NO_WARNING, Tone.RESULT)

    @cached_property
    def grid(self) -> Grid | None:
        """The volumes that can stand side by side."""
        volumes = {}
        for segment in self.segments:
            measured = self.measurements(segment)
            volume = next(m for m in measured if m.code == codes.VOLUME)
            volumes[segment] = row_of(volume)
        return Grid.of(volumes)

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """The results that are not in the grid, in the order the module gave them."""
        in_grid = self.grid.segments if self.grid else ()
        measured = [
            row_of(measurement)
            for segment in (*self.segments, *self.empty_segments)
            for measurement in self.measurements(segment)
            if segment not in in_grid or measurement.code != codes.VOLUME
        ]
        measured += map(row_of, self.measurements(None))
        measured += rows_of_shapes(self.analysis.findings.shapes)
        for outcome in self.analysis.findings.classifications:
            measured += rows_of_scores(outcome)
        return tuple(measured)

    @cached_property
    def marked(self) -> tuple[Marked, ...]:
        """What lies in the volume, and each map of it, upon its slice."""
        series = self.analysis.series
        if series is None or series.stack.problem:
            return ()
        findings = self.analysis.findings
        shapes = [shape for shape in findings.shapes if shape.image is None]
        return (*marked(series, shapes), *mapped(series, findings.of(ParametricMap)))

    @property
    def legend(self) -> str:
        """The sentences that say what the numbers mean."""
        spread = ONE_DEVIATION if self._has_uncertainty else ""
        return ". ".join(words for words in (spread, self._definition) if words)

    @property
    def _has_uncertainty(self) -> bool:
        return any(m.uncertainty is not None for m in self.analysis.findings.measurements)

    @property
    def _definition(self) -> str:
        measured = {measurement.code for measurement in self.analysis.findings.measurements}
        return DEFINITION if codes.ASYMMETRY in measured else ""

    @property
    def changes(self) -> tuple[ChangeRow, ...]:
        """What has become of the measurements since earlier exams."""
        return tuple(map(change_row, self.analysis.findings.changes))

    def change(self, measurement: Measurement) -> Change | None:
        """The change of `measurement`, if it could be compared."""
        changes = self.analysis.findings.changes
        return next((change for change in changes if change.of is measurement), None)

    @cached_property
    def course(self) -> Course | None:
        """The volumes over time, to be drawn."""
        return Course.of(self.analysis.findings.changes)

    @cached_property
    def films(self) -> tuple[FilmReport, ...]:
        """What is said of each film; empty if the result is about a volume."""
        return films_of(self.analysis)

    @property
    def whole(self) -> Findings:
        """The findings that are about no single film."""
        findings = self.analysis.findings
        return findings.about(None) if self.films else findings

    @property
    def conclusion(self) -> Outcome | None:
        """What is said of a study of several films."""
        return conclusion(self.analysis.findings, self.films) if len(self.films) > 1 else None

    @property
    def origin(self) -> ResultOrigin:
        return ResultOrigin(self.analysis)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the whole, and what its scores are."""
        return self._remarks(with_cautions=True)

    @property
    def remarks(self) -> tuple[str, ...]:
        """The notes that `confidence` does not say."""
        return self._remarks(with_cautions=False)

    def _remarks(self, with_cautions: bool) -> tuple[str, ...]:
        bases = (classification.basis for classification in self.whole.classifications)
        given = (n.sentence for n in self.whole.notes if with_cautions or not n.caution)
        said = (*bases, *self._to_look_at, *given, self.replaces)
        return tuple(dict.fromkeys(text for text in said if text))

    @property
    def _to_look_at(self) -> Iterator[str]:
        """The key images of a volume, by name; a film says so itself."""
        for key in () if self.films else self.analysis.findings.of(KeyImage):
            yield f"Image to look at: {self.analysis.by_uid[key.image].name}, {clause(key.text)}."

    @property
    def comments(self) -> tuple[str, ...]:
        """Everything a reader of the bare document must know besides the numbers."""
        findings = self.analysis.findings
        changes = (sentence for change in self.changes for sentence in change.sentences)
        defined = f"{self._definition}." if self._definition else None
        spread = UNCERTAINTY if self._has_uncertainty else None
        empty = (f"{s.name}: nothing was found, its volume is 0 mL." for s in self.empty_segments)
        first = (self.refusal, self.incomplete, self._concluded, *empty)
        tables = (line for table in findings.of(Table) for line in table.sentences)
        plots = (line for plot in findings.of(Plot) for line in plot.sentences)
        urgent = (urgency.sentence for urgency in self.urgencies)
        drawn = (f"{DRAWN_BY}: {one.label}." for one in findings.of(Drawing))
        said = (*urgent, *first, *self.notes, *tables, *plots, *drawn, spread, defined, *changes)
        chosen = (f"{self.origin.why}: {reason}" for reason in self.analysis.reasons)
        return (*(text for text in said if text), *chosen, f"{NOT_FOR_DIAGNOSIS}.")

    @property
    def _concluded(self) -> str | None:
        """The conclusion on several films; a refusal of the study says more."""
        study = self.conclusion
        return f"{study.words}. {study.detail}".strip() if study and not self.refusal else None


def _structure(segment: Structure) -> tuple[str, ...]:
    places = (segment.code, segment.modifier, segment.side)
    coded = (part for code in places for part in (code or ("", ""))[:2])
    return (*coded, segment.label)
