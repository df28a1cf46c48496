"""Calibrate the exported network on held-out persons, judge it, and write its model card.

    python training/hippocampus/evaluate.py --data DIR [--studies DIR] [--held-out 4]

Everything runs through the module's own inference code. Writes the calibration into weights.onnx,
and template.npz, card.md, docs/models/hippocampus.png and docs/models/hippocampus-held-out.csv.
"""

import argparse
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
from highdicom import Volume

from calibrate import calibrate, mean_appearance
from data import Case, load_cases, read_volume
from hilum.findings import Refusal
from hilum.modules.hippocampus import HippocampalVolume
from hilum.modules.hippocampus.gates import TEMPLATE, Plausibility, numbers_of
from hilum.modules.hippocampus.network import (
    CALIBRATION_KEY,
    Calibration,
    Segmentation,
    Segmenter,
)
from measure import Figures, figures_of
from odd import blank_crops, odd_crops, read_series, squeezed
from report import Report, write_card, write_figure, write_table
from robust import robustness

TRAINING = "3,000 steps of 4 crops (interrupted and resumed once, at step 500)"
EVERY = 4  # of the held-out crops, one in so many is made odd


@dataclass(frozen=True)
class Judged:
    """Held-out cases judged with a calibration that has not seen them."""

    figures: list[Figures]
    numbers: list[dict[str, float]]
    outcomes: Counter[str]
    inside: dict[str, float]


def outcome(judge: Plausibility, segmentation: Segmentation) -> str:
    """`refused`, `noted` or `passed`."""
    verdict = judge(segmentation)
    if isinstance(verdict, Refusal):
        return "refused"
    return "noted" if verdict else "passed"


def judge_cross_fitted(
    cases: Sequence[Case], segmentations: Sequence[Segmentation], template: np.ndarray
) -> Judged:
    """Calibrate on one half of the persons, judge the other, both ways."""
    persons = sorted({case.subject for case in cases}, key=int)
    half_of = {person: index % 2 for index, person in enumerate(persons)}
    judgements, outcomes, inside = [], Counter[str](), {}
    for half in (0, 1):
        seen = [i for i, c in enumerate(cases) if half_of[c.subject] != half]
        judged = [i for i, c in enumerate(cases) if half_of[c.subject] == half]
        fitted = calibrate([segmentations[i] for i in seen], [cases[i] for i in seen], template)
        judge = Plausibility(fitted.bounds)
        for i in judged:
            segmentation = replace(segmentations[i], background_offset=fitted.background_offset)
            each = figures_of(cases[i], segmentation)
            judgements.append((each, numbers_of(segmentation, template)))
            outcomes[outcome(judge, segmentation)] += 1
            for part, sigma in fitted.relative_error.items():
                error = abs(each.measured[part] - each.labelled[part])
                inside.setdefault(part, []).append(error <= sigma * each.measured[part])
    judgements.sort(key=lambda pair: pair[0].case)
    return Judged(
        figures=[figures for figures, _ in judgements],
        numbers=[numbers for _, numbers in judgements],
        outcomes=outcomes,
        inside={part: float(np.mean(hits)) for part, hits in inside.items()},
    )


def judge_odd(
    segment: Segmenter, judge: Plausibility, crops: Sequence[Volume], studies: Path | None
) -> dict[str, Counter[str]]:
    """Outcomes by kind of oddity; the studies' own crops count as `crop of a study`."""
    rng = np.random.default_rng(0)
    odd = [each for crop in crops for each in odd_crops(crop, rng)]
    odd += blank_crops(rng)
    for series in read_series(studies) if studies else []:
        if not list(HippocampalVolume.needs.objections(series)):
            odd.append(("crop of a study (must pass)", series.volume()))
        elif series.modality == "MR" and not series.stack.problem:
            odd += squeezed(series)
    outcomes: dict[str, Counter[str]] = {}
    for kind, volume in odd:
        outcomes.setdefault(kind, Counter())[outcome(judge, segment(volume))] += 1
    return outcomes


def embed(calibration: Calibration, weights: Path) -> None:
    """Store `calibration` in the metadata of the ONNX file, so that one hash covers both."""
    model = onnx.load(weights)
    onnx.helper.set_model_props(model, {CALIBRATION_KEY: calibration.write()})
    weights.write_bytes(model.SerializeToString(deterministic=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--studies", type=Path, help="folder of DICOM studies, one folder each")
    parser.add_argument("--held-out", type=int, default=4, help="the fold that train.py held out")
    parser.add_argument("--docs", type=Path, default=Path("docs/models"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--training", default=TRAINING, help="for the card")
    options = parser.parse_args()

    weights = HippocampalVolume.weights
    cases = load_cases(options.data)
    held_out = [case for case in cases if case.fold == options.held_out]
    training = [case for case in cases if case.fold != options.held_out]
    np.savez_compressed(TEMPLATE, appearance=mean_appearance(training))
    template = np.load(TEMPLATE)["appearance"].astype(np.float32)

    segment = Segmenter(weights, options.threads)
    crops = [read_volume(options.data, case.name) for case in held_out]
    segmentations = [segment(crop) for crop in crops]
    embed(calibrate(segmentations, held_out, template), weights)
    judged = judge_cross_fitted(held_out, segmentations, template)

    segment = Segmenter(weights, options.threads)
    assert segment.calibration is not None
    judge = Plausibility(segment.calibration.bounds)
    report = Report(
        figures=judged.figures,
        numbers=judged.numbers,
        outcomes=judged.outcomes,
        inside=judged.inside,
        calibration=segment.calibration,
        odd=judge_odd(segment, judge, crops[::EVERY], options.studies),
        robustness=robustness(segment, crops[::EVERY]),
        persons=(len({c.subject for c in training}), len({c.subject for c in held_out})),
        cases=(len(training), len(held_out)),
        held_out=options.held_out,
        training=options.training,
        weights=weights,
    )
    options.docs.mkdir(parents=True, exist_ok=True)
    write_figure(report, options.docs / "hippocampus.png")
    write_table(report, options.docs / "hippocampus-held-out.csv")
    write_card(report, HippocampalVolume.card)
    print(report.summary())


if __name__ == "__main__":
    main()
