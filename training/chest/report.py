"""What `evaluate.py` writes: the model card and the table of validation films."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from textwrap import fill

import numpy as np

from calibrate import answers, cross_fitted
from compare import SMALL
from figures import accuracy, auroc, interval, macro_auroc
from films import CLASSES, Film
from hilum.module import facts_of
from hilum.modules.chest import ChestRadiograph
from hilum.modules.chest.card import ModelCard
from hilum.modules.chest.gates import REASONS, GateBounds
from judge import GOOD, Row
from measure import Measured, softmax
from runs import Run, Unseen

NAMES = {
    "full": "whole film, mild augmentation",
    "crop": "lung crop, mild augmentation",
    "crop-strong": "lung crop, strong augmentation",
    "crop-strong-balanced": "... and sources drawn evenly",
    "crop-strong-robust": "... and group DRO over class and source",
    "crop-strong-adversarial": "... and source-adversarial",
    "lungs-only": "everything outside the lungs hidden",
    "lungs-hidden": "the lungs hidden (probe)",
}


@dataclass(frozen=True)
class Report:
    """All figures of one evaluation."""

    films: Sequence[Film]
    held_out: Sequence[Film]
    variant: str
    measured: Measured
    card: ModelCard
    runs: dict[str, Run]
    size: tuple[np.ndarray, np.ndarray]
    gates: dict[str, Row]
    bounds: GateBounds
    accepted: Sequence[bool]

    @property
    def scores(self) -> np.ndarray:
        return softmax(self.measured.logits / self.card.output.temperature)

    @property
    def persons(self) -> list[str]:
        return [film.patient for film in self.held_out]

    def summary(self) -> str:
        """A few lines for the terminal."""
        good = self.gates[GOOD]
        return (
            f"accuracy {accuracy(self.scores, self.measured.labels):.3f}, macro AUROC"
            f" {macro_auroc(self.scores, self.measured.labels):.3f}\n"
            f"false refusals {good.refused:.1%} of {good.count}\n"
            f"{self.measured.seconds * 1000:.0f} ms a film\n"
            f"sha256 {facts_of(ChestRadiograph).weights_sha256}"
        )


def write_card(report: Report, path: Path) -> None:
    """Fill in `card.md.in`."""
    template = Template(Path(__file__).with_name("card.md.in").read_text())
    labels = report.measured.labels
    fitted = cross_fitted(report.measured.logits, labels, report.persons)
    shipped_answers = answers(report.scores, labels, report.card.abstain_below)
    training = [film for film in report.films if film.split == "train" and not film.tuning]
    good = report.gates[GOOD]
    path.write_text(
        template.substitute(
            sha256=facts_of(ChestRadiograph).weights_sha256,
            unseen=_unseen_sources(report.runs[report.variant]),
            hidden=_hidden(report.runs[report.variant], report.runs["lungs-hidden"]),
            size=f"{macro_auroc(*report.size):.3f}",
            size_accuracy=f"{accuracy(*report.size):.3f}",
            size_covid=f"{_covid(*report.size):.3f}",
            accuracy=_with_interval(report, accuracy),
            auroc=_with_interval(report, macro_auroc),
            each=_each(report),
            films=len(report.films),
            training_films=len(training),
            training_persons=len({film.patient for film in training}),
            held_out=len(report.held_out),
            held_out_persons=len(set(report.persons)),
            sources=_sources(report.films),
            variants=_variants(report),
            variant=NAMES[report.variant].removeprefix("... and "),
            threshold=f"{report.card.abstain_below:.2f}",
            temperature=f"{report.card.output.temperature:.2f}",
            answered=f"{fitted.answered:.0%}",
            right=f"{fitted.right:.0%}",
            right_of_all=f"{fitted.right_of_all:.0%}",
            answered_shipped=f"{shipped_answers.answered:.0%}",
            right_shipped=f"{shipped_answers.right:.0%}",
            evidence=f"{np.median(report.measured.evidence):.0%}",
            evidence_range=_range(report.measured.evidence),
            evidence_low=f"{(report.measured.evidence < report.card.low_evidence).mean():.0%}",
            area=f"{np.median(report.measured.lungs):.0%}",
            low_evidence=f"{report.card.low_evidence:.0%}",
            false_refusals=f"{good.refused:.1%} ({good.codes.total()} of {good.count})",
            gates=_gates(report),
            reasons=_reasons(),
            frontal=f"{report.bounds.least_frontal:.3g}",
            distance=f"{report.bounds.largest_distance:.3g}",
            lungs=f"{report.bounds.least_lungs:.1%}",
            milliseconds=f"{report.measured.seconds * 1000:.0f}",
        )
    )


def write_table(report: Report, path: Path) -> None:
    """One line per validation film."""
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["film", "class", "source", *CLASSES, "evidence_in_lungs", "accepted"])
        for index, film in enumerate(report.held_out):
            scores = [f"{score:.4f}" for score in report.scores[index]]
            evidence = f"{report.measured.evidence[index]:.4f}"
            accepted = str(report.accepted[index]).lower()
            table.writerow([film.path.stem, film.kind, film.source, *scores, evidence, accepted])


def _unseen_sources(run: Run) -> str:
    """What the shipped training makes of sources it was kept from."""
    ieee, small = run.unseen["ieee8023"], run.unseen.get(SMALL)
    text = (
        f"Trained without the ieee8023 collection and tested on its {ieee.films} films: AUROC of"
        f" COVID-19 against pneumonia {ieee.covid_or_pneumonia:.2f}, against normal"
        f" {ieee.covid_or_normal:.2f} (8 films); {ieee.recall:.0%} of its COVID-19 films are"
        " scored highest as such."
    )
    if small:
        text += (
            f" Trained without Actualmed and Figure1 and tested on their {small.films} films:"
            f" COVID-19 against normal {small.covid_or_normal:.2f}."
        )
    return fill(text, 120, subsequent_indent="  ")


def _hidden(shipped: Run, hidden: Run) -> str:
    """The training that sees no lungs, beside the one that is shipped."""
    low, high = hidden.accuracy_interval
    text = (
        f"A training with the lungs hidden ({hidden.epochs} epochs) reaches an accuracy of"
        f" {hidden.accuracy:.3f} [{low:.2f}-{high:.2f}] and a macro AUROC of {hidden.auroc:.3f}"
        f" on the validation films; with the lungs ({shipped.epochs} epochs)"
        f" {shipped.accuracy:.3f} and {shipped.auroc:.3f}."
    )
    return fill(text, 120, subsequent_indent="  ")


def _with_interval(report: Report, figure: object) -> str:
    assert callable(figure)
    labels = report.measured.labels
    low, high = interval(figure, report.scores, labels, report.persons)
    return f"{figure(report.scores, labels):.3f} [{low:.2f}-{high:.2f}]"


def _covid(scores: np.ndarray, labels: np.ndarray) -> float:
    """AUROC of covid against the rest."""
    covid = CLASSES.index("covid")
    return auroc(scores[labels == covid, covid], scores[labels != covid, covid])


def _each(report: Report) -> str:
    lines = [
        "| group | films | scored highest when it is the label | AUROC against the rest |",
        "|---|---|---|---|",
    ]
    labels = report.measured.labels
    for index, name in enumerate(CLASSES):
        of = labels == index
        recall = (report.scores[of].argmax(1) == index).mean()
        area = auroc(report.scores[of, index], report.scores[~of, index])
        lines.append(f"| {name} | {of.sum()} | {recall:.0%} | {area:.3f} |")
    return "\n".join(lines)


def _sources(films: Sequence[Film]) -> str:
    lines = ["| source | " + " | ".join(CLASSES) + " |", "|---|" + "---|" * len(CLASSES)]
    for source in sorted({film.source for film in films}):
        counts = [sum(f.source == source and f.kind == kind for f in films) for kind in CLASSES]
        lines.append(f"| {source} | " + " | ".join(map(str, counts)) + " |")
    return "\n".join(lines)


def _variants(report: Report) -> str:
    lines = [
        "| training | epochs | accuracy | macro AUROC"
        " | ieee8023 unseen: COVID or pneumonia, COVID or normal"
        " | Actualmed and Figure1 unseen: COVID or normal |",
        "|---|---|---|---|---|---|",
    ]
    for name, text in NAMES.items():
        if name not in report.runs:
            continue
        run = report.runs[name]
        mark = "**" if name == report.variant else ""
        low, high = run.accuracy_interval
        below, above = run.auroc_interval
        lines.append(
            f"| {mark}{text}{mark} | {run.epochs} |"
            f" {run.accuracy:.3f} [{low:.2f}-{high:.2f}] |"
            f" {run.auroc:.3f} [{below:.2f}-{above:.2f}] |"
            f" {_unseen(run.unseen.get('ieee8023'))} | {_small(run.unseen.get(SMALL))} |"
        )
    return "\n".join(lines)


def _unseen(unseen: Unseen | None) -> str:
    if unseen is None:
        return "-"
    return f"{unseen.covid_or_pneumonia:.2f}, {unseen.covid_or_normal:.2f}"


def _small(unseen: Unseen | None) -> str:
    return f"{unseen.covid_or_normal:.2f}" if unseen else "-"


def _range(values: np.ndarray) -> str:
    low, high = np.percentile(values, (5, 95))
    return f"{low:.0%} to {high:.0%}"


def _reasons() -> str:
    lines = ["| code | text |", "|---|---|"]
    lines += [f"| `{code}` | {text.format(value='...')} |" for code, text in REASONS.items()]
    return "\n".join(lines)


def _gates(report: Report) -> str:
    lines = ["| picture | number | refused | under which code |", "|---|---|---|---|"]
    for kind, row in report.gates.items():
        codes = ", ".join(f"{code} {count}" for code, count in row.codes.most_common())
        lines.append(f"| {kind} | {row.count} | {row.refused:.1%} | {codes or '-'} |")
    return "\n".join(lines)
