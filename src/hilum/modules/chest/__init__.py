"""Frontal chest films of adults: how similar they are to groups of training films."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hilum.dicom import codes
from hilum.dicom.film import Film
from hilum.errors import ConfigurationError, DicomError, ModuleError
from hilum.findings import Classification, Finding, HeatMap, Measurement, Note, Refusal, Score
from hilum.module import CARD, Films
from hilum.module.cards import page_of
from hilum.modules.chest.card import ModelCard
from hilum.modules.chest.gates import (
    LEAST_SIDE,
    Objection,
    PixelGate,
    header_objection,
)
from hilum.modules.chest.networks import Classifier, LungSegmenter, Prediction
from hilum.modules.chest.preprocess import Prepared, prepare

HERE = Path(__file__).parent
BUILT_IN = HERE / "network"


@dataclass(frozen=True, eq=False)
class Analysed:
    """A film that passed the gates. `lungs` is boolean on the prepared film."""

    film: Film
    prepared: Prepared
    lungs: np.ndarray
    reading: Prediction


def facts_of_model(folder: Path) -> tuple[str, str, str, tuple[Path, ...]]:
    """Name, version, title, and every file that can change a result."""
    card = ModelCard.read(folder)
    if not (folder / card.file).is_file():
        raise ConfigurationError(f"{folder / card.file}: there is no such file")
    files = (folder / card.file, folder / CARD, LungSegmenter.weights, PixelGate.weights)
    return card.name, card.version, card.title, files


class ChestRadiograph:
    """Scores every adult frontal chest film of a study; refuses the others, each by its reason.

    The classifier is whatever the folder `network` describes (`card.toml`); lungs, gates and
    abstention are the same for every network.
    """

    needs = Films(modalities=("CR", "DX"))
    card = HERE / "card.md"
    network = BUILT_IN
    name, version, title, weights = facts_of_model(BUILT_IN)

    def __init__(self, threads: int | None = None) -> None:
        threads = threads or int(os.environ.get("OMP_NUM_THREADS", 2))
        self.segment = LungSegmenter(threads=threads)
        self.gate = PixelGate(threads=threads)
        if self.gate.calibration is None:
            raise ModuleError(f"{self.gate.weights.name} is not calibrated")
        self._bounds = self.gate.calibration
        self.classify = Classifier(self.network, threads)

    @classmethod
    def with_model(cls, folder: Path) -> type["ChestRadiograph"]:
        """This module with the network in `folder`, of which only the card is read.

        Whoever lists modules keeps away from the ONNX file; a process of its own loads it. Raises
        `ConfigurationError` for a wrong card or a file that is not there.
        """
        name, version, title, weights = facts_of_model(folder)
        facts = {"name": name, "version": version, "title": title, "weights": weights}
        return type(cls.__name__, (cls,), {"network": folder, "card": page_of(folder), **facts})

    def run(self, films: Sequence[Film]) -> Iterator[Finding]:
        """For every frontal film its scores, map and share of evidence inside the lungs; for every
        other film a refusal; then what holds for the whole study."""
        analysed: list[Analysed] = []
        refused: list[Objection] = []
        for film in films:
            looked = self.look(film)
            if isinstance(looked, Objection):
                refused.append(looked)
                yield Refusal(looked.code, looked.text, film.uid)
            else:
                analysed.append(looked)
                yield from self._report(looked)
        if analysed:
            yield from self._summary(analysed)
            yield from (Note(warning) for warning in self.classify.card.warnings)
        else:
            yield nothing_analysed(refused)

    def look(self, film: Film) -> Analysed | Objection:
        """All gates in order, then the network."""
        if objection := header_objection(film):
            return objection
        try:
            values = film.values()
        except DicomError as error:
            return Objection("unreadable", str(error))
        if min(values.shape) < LEAST_SIDE:
            return Objection("too-small", f"{values.shape[1]} x {values.shape[0]}")
        prepared = prepare(values)
        lungs = self.segment(prepared.image)
        if objection := self.gate(prepared.image, lungs).objection(self._bounds):
            return objection
        mask = lungs > 0.5
        return Analysed(film, prepared, mask, self.classify(prepared.image, mask))

    def _report(self, analysed: Analysed) -> Iterator[Finding]:
        """Findings about one film."""
        uid, reading = analysed.film.uid, analysed.reading
        classification = self.classification(reading.scores, uid)
        yield classification
        best = int(reading.scores.argmax())
        evidence = reading.evidence(best)
        if evidence is not None:
            label = f"Evidence for {self.classify.card.group[best].label}"
            region = analysed.prepared.mask_on_film(analysed.lungs)
            yield HeatMap(analysed.prepared.on_film(evidence), label, uid, region)
            yield from self._where(evidence, analysed.lungs, uid)
        if analysed.film.age is None:
            yield Note("The age is unknown; the model knows only adults.", uid)

    def _where(self, evidence: np.ndarray, lungs: np.ndarray, uid: str) -> Iterator[Finding]:
        """How much of the evidence lies inside the lungs; nothing if there is no evidence."""
        share = inside_share(evidence, lungs)
        if share is None:
            return
        yield Measurement(codes.EVIDENCE_IN_LUNGS, 100 * share, codes.PERCENT, image=uid)
        if share < self.classify.card.low_evidence:
            yield Note(
                f"only {share:.0%} of the evidence lies inside the lungs: the score rests mostly on"
                " something else",
                uid,
                caution=True,
            )

    def _summary(self, analysed: Sequence[Analysed]) -> Iterator[Finding]:
        """One answer for several frontal films. If they contradict each other, it says so."""
        if len(analysed) < 2:
            return
        outcomes = [self.classification(each.reading.scores, None).outcome for each in analysed]
        labels = [outcome.label if outcome else "indeterminate" for outcome in outcomes]
        mean = np.mean([each.reading.scores for each in analysed], axis=0)
        agree = len(set(labels)) == 1
        yield self.classification(mean, None, abstain=not agree or outcomes[0] is None)
        if agree:
            return
        contradict = len({outcome.label for outcome in outcomes if outcome}) > 1
        what = "contradict each other" if contradict else "do not all give an outcome"
        yield Note(f"The frontal films {what}: no common outcome.")

    def classification(
        self, scores: np.ndarray, image: str | None, abstain: bool = False
    ) -> Classification:
        """Scores of every group, the highest first; no outcome below the card's `abstain_below`."""
        card = self.classify.card
        ranked = sorted(zip(card.group, scores, strict=True), key=lambda pair: -pair[1])
        given = tuple(Score(group.code, group.label, float(value)) for group, value in ranked)
        unsure = abstain or given[0].value < card.abstain_below
        outcome = None if unsure else given[0]
        return Classification(given, outcome, card.basis, image, card.abstain_below)


def inside_share(evidence: np.ndarray, lungs: np.ndarray) -> float | None:
    """Share of the evidence (not negative) that lies inside the lungs; None without evidence."""
    total = float(evidence.sum())
    return float(evidence[lungs].sum()) / total if total else None


def nothing_analysed(refused: Iterable[Objection]) -> Refusal:
    """Why the study has no result."""
    reasons = {objection.code: objection.text for objection in refused}
    if len(reasons) == 1:
        [(code, text)] = reasons.items()
        return Refusal(code, text)
    texts = "; ".join(reasons.values())
    return Refusal("no-frontal-film", f"none of its films could be used: {texts}")
