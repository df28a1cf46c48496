"""What `evaluate.py` writes: the model card, a table of the held-out cases, a figure."""

import csv
import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template

import matplotlib as mpl
import numpy as np
from scipy.stats import spearmanr

from door import AT_THE_DOOR, PASSED
from hilum.modules.hippocampus import COLOURS, PARTS
from hilum.modules.hippocampus.network import Calibration
from measure import Figures
from odd import MUST_PASS, NOTED, OUTCOMES
from robust import Kept
from whole import HIPPODEEP, Reading

mpl.use("Agg")


@dataclass(frozen=True)
class Report:
    """All figures of one evaluation. `figures` to `inside` are cross-fitted."""

    figures: list[Figures]
    numbers: list[dict[str, float]]
    outcomes: Counter[str]
    inside: dict[str, float]
    calibration: Calibration
    odd: dict[str, Counter[str]]
    doors: dict[str, Counter[str]]
    robustness: dict[str, Kept]
    heads: list[Reading]
    folds: list[int]
    weights: Path

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.weights.read_bytes()).hexdigest()

    def errors(self, part: str = "whole") -> np.ndarray:
        """Volume errors as shares of the labelled volume."""
        return np.array([each.volume_error(part) for each in self.figures])

    def mean_dice(self) -> np.ndarray:
        return np.array([each.mean_dice for each in self.figures])

    def summary(self) -> str:
        """Four lines for the terminal."""
        dice, error = self.mean_dice(), self.errors()
        return (
            f"Dice {dice.mean():.4f}, worst {dice.min():.3f}\n"
            f"volume error {abs(error).mean():.1%}, bias {error.mean():+.1%}\n"
            f"held-out crops: {_counts(self.outcomes)}\n"
            f"sha256 {self.sha256}"
        )


def write_card(report: Report, path: Path) -> None:
    """Fill `card.md.in` with the figures measured."""
    template = Template(Path(__file__).with_name("card.md.in").read_text())
    dice, error = report.mean_dice(), report.errors()
    worst = report.figures[int(dice.argmin())]
    path.write_text(
        template.substitute(
            persons=len({each.subject for each in report.figures}),
            cases=len(report.figures),
            folds=", ".join(map(str, report.folds)),
            by_fold=_by_fold(report),
            heads=_heads(report),
            seconds=_seconds(report),
            both=f"{report.calibration.relative_error['both']:.1%}",
            asymmetry=f"{100 * report.calibration.relative_error['asymmetry']:.1f}",
            mean_dice=f"{dice.mean():.3f}",
            worst_dice=f"{dice.min():.3f}",
            worst_case=worst.case,
            volume_error=f"{abs(error).mean():.1%}",
            largest_error=f"{abs(error).max():.0%}",
            bias=f"{error.mean():+.1%}",
            limits=_limits(report),
            offset=f"{report.calibration.background_offset:+.2f}",
            sigma=f"{report.calibration.relative_error['whole']:.1%}",
            figures=_figures(report),
            slope=_slope(report),
            back=_back(report),
            pieces=f"{min(each['one_piece'] for each in report.numbers):.1%}",
            ranking=_ranking(report),
            uncertainty=_uncertainty(report),
            outcomes=_counts(report.outcomes),
            gates=_gates(report),
            odd=_outcomes(report.odd, OUTCOMES),
            doors=_outcomes(report.doors, AT_THE_DOOR),
            missed=_missed(report),
            false_refusals=_false_refusals(report),
            robustness=_robustness(report),
            sha256=report.sha256,
        )
    )


def write_table(report: Report, path: Path) -> None:
    """One line per held-out case, by part."""
    with path.open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        names = ("dice", "hd95_mm", "asd_mm", "measured_ml", "labelled_ml")
        table.writerow(["case", "subject", *(f"{part}_{n}" for part in PARTS for n in names)])
        for each in report.figures:
            numbers: list[str] = []
            for part in PARTS:
                numbers += [f"{each.dice[part]:.4f}", f"{each.hd95[part]:.2f}"]
                numbers += [f"{each.surface_distance[part]:.3f}"]
                numbers += [f"{each.measured[part]:.3f}", f"{each.labelled[part]:.3f}"]
            table.writerow([each.case, each.subject, *numbers])


def write_figure(report: Report, path: Path) -> None:
    """Bland-Altman plot of the whole volume, and the Dice of every case in order."""
    from matplotlib import pyplot

    measured = np.array([each.measured["whole"] for each in report.figures])
    labelled = np.array([each.labelled["whole"] for each in report.figures])
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    difference = measured - labelled
    left.scatter((measured + labelled) / 2, difference, s=14, color="#0a6")
    for level in (0.0, -1.96, 1.96):
        left.axhline(difference.mean() + level * difference.std(ddof=1), color="#888", lw=0.8)
    left.set(
        title="Whole hippocampus, Bland-Altman",
        xlabel="mean of measured and labelled, mL",
        ylabel="measured - labelled, mL",
    )
    order = np.argsort(report.mean_dice())
    for part, colour in zip(PARTS, COLOURS[None], strict=True):
        scores = [report.figures[i].dice[part] for i in order]
        right.plot(scores, "o", ms=3, color=np.array(colour) / 255, label=part)
    right.set(title="Dice of held-out cases", xlabel="case, worst first")
    right.legend(loc="lower right")
    figure.savefig(path, dpi=100, metadata={"Software": None})
    pyplot.close(figure)


def _figures(report: Report) -> str:
    rows: list[tuple[str, Callable[[Figures, str], float], str, Callable[..., float]]] = [
        ("Dice", lambda f, part: f.dice[part], ".3f", np.min),
        ("HD95, mm", lambda f, part: f.hd95[part], ".2f", np.max),
        ("surface distance, mm", lambda f, part: f.surface_distance[part], ".2f", np.max),
        ("absolute volume error", lambda f, part: abs(f.volume_error(part)), ".1%", np.max),
    ]
    lines = ["| | anterior | posterior | whole |", "|---|---|---|---|"]
    for name, value, form, worst in rows:
        cells = []
        for part in PARTS:
            values = np.array([value(each, part) for each in report.figures])
            cells.append(
                f"{values.mean():{form}} +- {values.std(ddof=1):{form}} ({worst(values):{form}})"
            )
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    bias = [f"{report.errors(part).mean():+.1%}" for part in PARTS]
    return "\n".join([*lines, "| volume bias | " + " | ".join(bias) + " |"])


def _limits(report: Report) -> str:
    difference = np.array([f.measured["whole"] - f.labelled["whole"] for f in report.figures])
    reach = 1.96 * difference.std(ddof=1)
    mean = difference.mean()
    return f"{mean - reach:+.2f} to {mean + reach:+.2f} mL (mean {mean:+.3f} mL)"


def _slope(report: Report) -> str:
    """Share of a difference between two persons that the measured volumes do not show."""
    measured = [each.measured["whole"] for each in report.figures]
    labelled = [each.labelled["whole"] for each in report.figures]
    return f"{1 - np.polyfit(labelled, measured, 1)[0]:.0%}"


def _back(report: Report) -> str:
    """How many times the measured difference of two persons the labelled one is, on average."""
    measured = [each.measured["whole"] for each in report.figures]
    labelled = [each.labelled["whole"] for each in report.figures]
    return f"{np.polyfit(measured, labelled, 1)[0]:.2f}"


def _by_fold(report: Report) -> str:
    folds = {each.fold for each in report.figures}
    means = {f: np.mean([e.mean_dice for e in report.figures if e.fold == f]) for f in folds}
    return ", ".join(f"fold {fold} {means[fold]:.3f}" for fold in sorted(folds))


def _heads(report: Report) -> str:
    lines = ["| head | change | left, mL | right, mL | outcome |", "|---|---|---|---|---|"]
    for each in report.heads:
        volumes = [f"{v:.2f}" for v in each.volumes] or ["", ""]
        lines.append(f"| {each.head} | {each.change} | {' | '.join(volumes)} | {each.outcome} |")
        if each.change == "as it is" and each.head in HIPPODEEP:
            other = " | ".join(f"{v:.2f}" for v in HIPPODEEP[each.head])
            lines.append(f"| {each.head} | by hippodeep, another method | {other} | |")
    return "\n".join(lines)


def _seconds(report: Report) -> str:
    return f"{np.median([each.seconds for each in report.heads]):.1f}"


def _ranking(report: Report) -> str:
    """Rank correlation of every gate's number with the absolute volume error."""
    error = abs(report.errors())
    ranked = {
        name: spearmanr([each[name] for each in report.numbers], error).statistic
        for name in ("entropy", "mixed", "resemblance", "volume_ml")
    }
    return ", ".join(f"{name} {rho:+.2f}" for name, rho in ranked.items())


def _uncertainty(report: Report) -> str:
    lines = ["| | one standard deviation | errors inside it |", "|---|---|---|"]
    for part in PARTS:
        share = report.calibration.relative_error[part]
        lines.append(f"| {part} | {share:.1%} of the volume | {report.inside[part]:.0%} |")
    return "\n".join(lines)


def _gates(report: Report) -> str:
    lines = ["| number | passes | refused beyond |", "|---|---|---|"]
    for name, bounds in report.calibration.bounds.items():
        lines.append(f"| {name} | {_range(bounds.passes)} | {_range(bounds.refuses)} |")
    return "\n".join(lines)


def _range(limits: tuple[float | None, float | None]) -> str:
    low, high = limits
    if low is None:
        return f"<= {high:.3g}"
    return f">= {low:.3g}" if high is None else f"{low:.3g} to {high:.3g}"


def _outcomes(table: dict[str, Counter[str]], columns: Sequence[str]) -> str:
    lines = [f"| input | {' | '.join(columns)} |", "|---|" + "---|" * len(columns)]
    for kind, outcomes in table.items():
        lines.append(f"| {kind} | " + " | ".join(str(outcomes[o]) for o in columns) + " |")
    return "\n".join(lines)


def _missed(report: Report) -> str:
    """Every kind that must not pass and did: how often of how many."""
    missed = [
        f"{kind} ({outcomes[PASSED]} of {outcomes.total()}; {outcomes[NOTED]} with low confidence)"
        for kind, outcomes in (*report.odd.items(), *report.doors.items())
        if outcomes[PASSED] and not kind.endswith(MUST_PASS)
    ]
    return "; ".join(missed) or "nothing"


def _false_refusals(report: Report) -> str:
    changed = sum((kept.outcomes for kept in report.robustness.values()), Counter[str]())
    return (
        f"{report.outcomes['refused']} of {report.outcomes.total()} as they are, "
        f"{changed['refused']} of {changed.total()} changed as under *Robustness*"
    )


def _robustness(report: Report) -> str:
    columns = ("mean", "largest", *OUTCOMES)
    lines = [f"| change | {' | '.join(columns)} |", "|---|" + "---|" * len(columns)]
    for name, kept in report.robustness.items():
        counts = " | ".join(str(kept.outcomes[o]) for o in OUTCOMES)
        lines.append(f"| {name} | {kept.mean:.1%} | {kept.largest:.1%} | {counts} |")
    return "\n".join(lines)


def _counts(outcomes: Counter[str]) -> str:
    return ", ".join(f"{outcomes[o]} {o}" for o in OUTCOMES)
