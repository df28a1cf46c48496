"""What is said of each film, and of all of them together; picture, page and SR only lay it out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import cached_property

import numpy as np
from PIL import Image

from hilum.dicom.film import Film
from hilum.findings import (
    Classification,
    Findings,
    HeatMap,
    KeyImage,
    Measurement,
    Note,
    image_of,
)
from hilum.findings.finding import clause
from hilum.module import Films
from hilum.objects.analysis import Analysis
from hilum.objects.report.drawing import with_shapes
from hilum.objects.report.evidence import with_evidence
from hilum.printing import percent
from hilum.wording import counted, sentence


class Tone(Enum):
    """How a headline is meant, and so in which colour it stands."""

    RESULT = "result"
    DOUBTED = "doubted"  # there is one, and a caution to it
    ABSTAINED = "abstained"
    REFUSED = "refused"


@dataclass(frozen=True)
class Outcome:
    """A headline of few words, the sentence that explains it, and a name to list it by."""

    words: str
    tone: Tone
    detail: str = ""
    name: str = ""


NO_RESULT = "NO RESULT"
INDETERMINATE = "INDETERMINATE"
DISAGREE = "FILMS DISAGREE"
LOW_CONFIDENCE = "LOW CONFIDENCE"


@dataclass(frozen=True)
class FilmReport:
    """What is said of `film`, the `number`th of `count`: `own`, and what holds for the `study`.

    `shown` is its picture, uint8 (rows, columns), None if there is none.
    """

    film: Film
    number: int
    count: int
    own: Findings
    study: Findings
    shown: np.ndarray | None

    @property
    def name(self) -> str:
        """A short name, to tell the films of a study apart."""
        return f"Film {self.number}" if self.count > 1 else "Film"

    @cached_property
    def picture(self) -> Image.Image | None:
        """The film in grey, None if it cannot be shown."""
        return None if self.shown is None else Image.fromarray(self.shown)

    @cached_property
    def marked(self) -> Image.Image | None:
        """The film with what was found upon it: points, lines and boxes; None without any."""
        if self.picture is None or not self.own.shapes:
            return None
        return with_shapes(self.picture, self.own.shapes, self.film.instance.size)

    @cached_property
    def evidence(self) -> Image.Image | None:
        """The film with its heat map, None without one."""
        heat = self.heat_map
        return with_evidence(self.picture, heat) if heat and self.picture else None

    @property
    def heat_map(self) -> HeatMap | None:
        return next(iter(self.own.heat_maps), None)

    @property
    def classifications(self) -> tuple[Classification, ...]:
        """The classifications of this film; of a study with one film also those of the study."""
        alone = self.study.classifications if self.count == 1 else ()
        return (*self.own.classifications, *alone)

    @property
    def refusal(self) -> str | None:
        """The sentence that says why there is no result."""
        given = self.own.refusals or self.study.refusals
        return given[0].sentence if given else None

    @property
    def outcome(self) -> Outcome | None:
        """None if the film was only measured."""
        if self.refusal:
            return Outcome(NO_RESULT, Tone.REFUSED, self.refusal)
        said = next(map(outcome_of, self.classifications), None)
        return doubted(said, (*self.own.notes, *self.study.notes)) if said else None

    @property
    def gist(self) -> str:
        """One line to stand below a small picture: why there is no result, or the scores."""
        scores = (score for c in self.classifications for score in c.scores)
        return self.refusal or ", ".join(f"{s.label} {percent(s.value)}" for s in scores)

    @property
    def measurements(self) -> tuple[Measurement, ...]:
        alone = self.study.measurements if self.count == 1 else ()
        return (*self.own.measurements, *alone)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks on the film, then on the study: a page must not need another one."""
        keys = (f"Image to look at: {clause(key.text)}." for key in self.own.of(KeyImage))
        return (*keys, *(note.sentence for note in (*self.own.notes, *self.study.notes)))

    @property
    def bases(self) -> tuple[str, ...]:
        """What the scores are, and what they are not; each sentence once."""
        return tuple(dict.fromkeys(c.basis for c in self.classifications))

    @property
    def description(self) -> str:
        """Series, view, time and size, as far as the header tells."""
        header = self.film.header
        number = header.integer("SeriesNumber")
        series = header.text("SeriesDescription") or "unnamed series"
        parts = [f"{series} (series {number})" if number else series]
        if view := header.text("ViewPosition", 16):
            parts.append(f"view {view}")
        if acquired := _moment(self.film.acquired):
            parts.append(acquired)
        if size := self.film.instance.size:
            parts.append(f"{size[1]} x {size[0]} pixels")
        return ", ".join(parts)


def films_of(analysis: Analysis) -> tuple[FilmReport, ...]:
    """Every image that a finding names, in order of acquisition; none if there are segments.

    Segments make it a volume, in which an image is one of many slices. Radiographs of which nothing
    was said, because the module failed, are shown nevertheless.
    """
    items = analysis.findings.items
    named = {image_of(finding) for finding in items if not isinstance(finding, KeyImage)}
    if analysis.findings.segments:
        return ()
    films = [
        Film(instance)
        for series in analysis.all_series
        for instance in series.instances
        if instance.sop_instance_uid in named
        or (not named - {None} and series.modality in Films().modalities)
    ]
    films.sort(key=lambda film: (film.acquired, film.uid))
    about, study = analysis.findings.about, analysis.findings.about(None)
    return tuple(
        FilmReport(
            film, number, len(films), about(film.uid), study, analysis.pictures.get(film.uid)
        )
        for number, film in enumerate(films, start=1)
    )


def conclusion(findings: Findings, films: Sequence[FilmReport]) -> Outcome:
    """What is said of the study: the module's own word, else what all of its films agree on."""
    if findings.refusal:
        return Outcome(NO_RESULT, Tone.REFUSED, findings.refusal.sentence)
    analysed = {film.name: outcome for film in films if (outcome := _own_outcome(film))}
    if not analysed:
        return Outcome(NO_RESULT, Tone.REFUSED, "None of the films could be analysed.")
    doubts_last = sorted(analysed.values(), key=lambda outcome: outcome.tone is Tone.DOUBTED)
    said = list({outcome.name: outcome for outcome in doubts_last}.values())
    detail = f"{len(analysed)} of {counted(len(films), 'film')} analysed."
    if len(said) > 1:
        detail = f"{detail} They do not say the same: {_each(analysed)}."
    agreed = said[0] if len(said) == 1 else None
    stated = next(map(outcome_of, findings.about(None).classifications), agreed)
    results = [outcome for outcome in said if outcome.tone in (Tone.RESULT, Tone.DOUBTED)]
    study = replace(_of_study(stated, results), detail=detail)
    doubts = [o for o in analysed.values() if o.tone is Tone.DOUBTED]
    if doubts and study.tone is Tone.RESULT:
        return Outcome(LOW_CONFIDENCE, Tone.DOUBTED, f"{detail} {doubts[0].detail}", study.name)
    return doubted(study, findings.about(None).notes)


def _each(analysed: Mapping[str, Outcome]) -> str:
    return ", ".join(f"{name} {outcome.name}" for name, outcome in analysed.items())


def _of_study(stated: Outcome | None, results: Sequence[Outcome]) -> Outcome:
    """What is `stated` counts, unless it abstains where the `results` of films contradict."""
    if stated is not None and stated.tone in (Tone.RESULT, Tone.DOUBTED):
        return stated
    if len(results) > 1:
        return Outcome(DISAGREE, Tone.ABSTAINED)
    return Outcome(INDETERMINATE, Tone.ABSTAINED)


def _own_outcome(film: FilmReport) -> Outcome | None:
    """None for a film that was refused, or only measured."""
    outcome = film.outcome
    return outcome if outcome and outcome.tone is not Tone.REFUSED else None


def outcome_of(classification: Classification) -> Outcome:
    """The headline of one classification."""
    if classification.outcome is not None:
        label = classification.outcome.label
        return Outcome(f"Most similar to: {label} group", Tone.RESULT, name=label)
    why = "The program abstains: no group stands out clearly enough."
    return Outcome(INDETERMINATE, Tone.ABSTAINED, why, INDETERMINATE.lower())


def doubted(outcome: Outcome, notes: Sequence[Note]) -> Outcome:
    """`outcome`, or that it deserves little confidence where one of `notes` is a caution."""
    reasons = dict.fromkeys(sentence(clause(note.text)) for note in notes if note.caution)
    if not reasons or outcome.tone is not Tone.RESULT:
        return outcome
    detail = " ".join([*reasons, f"The scores alone: {outcome.words}."])
    return Outcome(LOW_CONFIDENCE, Tone.DOUBTED, detail, outcome.name)


def _moment(acquired: str) -> str:
    """Date and time of DICOM (PS3.5 6.2) as people write them, empty if there is no date."""
    date, _, time = acquired.partition(" ")
    if len(date) != 8 or not date.isdigit():
        return ""
    clock = f" {time[:2]}:{time[2:4]}" if time[:4].isdigit() and len(time) >= 4 else ""
    return f"{date[:4]}-{date[4:6]}-{date[6:]}{clock}"
