"""Cross-validate by person, calibrate the exported network, and write its model card.

    python training/hippocampus/evaluate.py --data DIR --networks OUT [--studies DIR]

Every case is judged by the network of its fold, which never saw that person; the shipped network
saw everyone. Everything runs through the module's own inference code. Writes the calibration into
weights.onnx, and template.npz, card.md and in docs/models hippocampus.png, hippocampus-worst.png
and hippocampus-held-out.csv.
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
from door import at_the_door
from draw import draw_worst
from hilum.modules.hippocampus import PARTS, HippocampalVolume
from hilum.modules.hippocampus.gates import TEMPLATE, Plausibility, numbers_of
from hilum.modules.hippocampus.network import (
    CALIBRATION_KEY,
    Calibration,
    Segmentation,
    Segmenter,
)
from measure import Figures, figures_of
from odd import judge_odd, outcome
from report import Report, write_card, write_figure, write_table
from robust import Held, robustness
from whole import readings

EVERY = 12  # of the held-out crops, one in so many is made odd
EVERY_CHANGED = 4  # and one in so many is changed in ways that must do no harm


@dataclass(frozen=True)
class Judged:
    """Held-out cases judged with a calibration that has not seen them."""

    figures: list[Figures]
    numbers: list[dict[str, float]]
    outcomes: Counter[str]
    inside: dict[str, float]


@dataclass(frozen=True, eq=False)
class Seen:
    """Cases as a network saw them that was trained without those persons; it is in `networks`."""

    cases: list[Case]
    segmentations: list[Segmentation]
    networks: list[Segmenter]


def cross_fitted(seen: Seen, template: np.ndarray) -> list[Calibration]:
    """For each case the calibration on that half of the persons who are not in its own half."""
    persons = sorted({case.subject for case in seen.cases}, key=int)
    half_of = {person: index % 2 for index, person in enumerate(persons)}
    fitted = []
    for half in (0, 1):
        others = [i for i, c in enumerate(seen.cases) if half_of[c.subject] != half]
        of_others = [seen.segmentations[i] for i in others]
        fitted.append(calibrate(of_others, [seen.cases[i] for i in others], template))
    return [fitted[half_of[case.subject]] for case in seen.cases]


def judge_cross_fitted(seen: Seen, fitted: Sequence[Calibration], template: np.ndarray) -> Judged:
    """Every case by a calibration that does not know its person."""
    judgements, outcomes, inside = [], Counter[str](), {}
    for case, uncalibrated, its in zip(seen.cases, seen.segmentations, fitted, strict=True):
        segmentation = replace(uncalibrated, background_offset=its.background_offset)
        each = figures_of(case, segmentation)
        judgements.append((each, numbers_of(segmentation, template)))
        outcomes[outcome(Plausibility(its.bounds), segmentation)] += 1
        for part in PARTS:
            error = abs(each.measured[part] - each.labelled[part])
            within = error <= its.relative_error[part] * each.measured[part]
            inside.setdefault(part, []).append(within)
    judgements.sort(key=lambda pair: pair[0].case)
    return Judged(
        figures=[figures for figures, _ in judgements],
        numbers=[numbers for _, numbers in judgements],
        outcomes=outcomes,
        inside={part: float(np.mean(hits)) for part, hits in inside.items()},
    )


def held(seen: Seen, fitted: Sequence[Calibration], data: Path) -> list[Held]:
    """One in `EVERY_CHANGED` of the cases, with what has not seen its person."""
    crops = []
    for index in range(0, len(seen.cases), EVERY_CHANGED):
        case, network, its = seen.cases[index], seen.networks[index], fitted[index]

        def segment(
            volume: Volume, network: Segmenter = network, its: Calibration = its
        ) -> Segmentation:
            return replace(network(volume), background_offset=its.background_offset)

        volume = read_volume(data, case.name)
        crops.append(Held(volume, case.label, segment, Plausibility(its.bounds)))
    return crops


def embed(calibration: Calibration, weights: Path) -> None:
    """Store `calibration` in the metadata of the ONNX file, so that one hash covers both."""
    model = onnx.load(weights)
    onnx.helper.set_model_props(model, {CALIBRATION_KEY: calibration.write()})
    weights.write_bytes(model.SerializeToString(deterministic=True))


def out_of_fold(cases: Sequence[Case], data: Path, networks: Path, threads: int) -> Seen:
    """Each case through the network that did not see its person (`networks`/fold*/network.onnx)."""
    seen = Seen([], [], [])
    for weights in sorted(networks.glob("fold[1-9]*/network.onnx")):
        segment = Segmenter(weights, threads)
        for case in cases:
            if weights.parent.name == f"fold{case.fold}":
                seen.cases.append(case)
                seen.segmentations.append(segment(read_volume(data, case.name)))
                seen.networks.append(segment)
    return seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--networks", type=Path, required=True, help="OUT of make.sh")
    parser.add_argument("--studies", type=Path, help="folder of DICOM studies, one folder each")
    parser.add_argument("--docs", type=Path, default=Path("docs/models"))
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()

    weights = HippocampalVolume.weights
    cases = load_cases(options.data)
    seen = out_of_fold(cases, options.data, options.networks, options.threads)
    np.savez_compressed(TEMPLATE, appearance=mean_appearance(cases))
    template = np.load(TEMPLATE)["appearance"].astype(np.float32)
    embed(calibrate(seen.segmentations, seen.cases, template), weights)
    fitted = cross_fitted(seen, template)
    judged = judge_cross_fitted(seen, fitted, template)

    segment = Segmenter(weights, options.threads)
    assert segment.calibration is not None
    judge = Plausibility(segment.calibration.bounds)
    crops = [read_volume(options.data, case.name) for case in seen.cases[::EVERY]]
    module = HippocampalVolume(options.threads)
    report = Report(
        figures=judged.figures,
        numbers=judged.numbers,
        outcomes=judged.outcomes,
        inside=judged.inside,
        calibration=segment.calibration,
        odd=judge_odd(segment, judge, crops, options.studies),
        doors=at_the_door(module, options.studies),
        robustness=robustness(held(seen, fitted, options.data)),
        heads=readings(module),
        folds=sorted({case.fold for case in seen.cases}),
        weights=weights,
    )
    options.docs.mkdir(parents=True, exist_ok=True)
    write_figure(report, options.docs / "hippocampus.png")
    draw_worst(report, seen.cases, seen.segmentations, options.docs / "hippocampus-worst.png")
    write_table(report, options.docs / "hippocampus-held-out.csv")
    write_card(report, HippocampalVolume.card)
    print(report.summary())


if __name__ == "__main__":
    main()
