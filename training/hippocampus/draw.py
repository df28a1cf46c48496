"""The worst cases, drawn: what was found against what the rater drew, on three planes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data import Case
from hilum.modules.hippocampus.network import Segmentation
from report import Report

WORST = 4
PLANES = ("sagittal", "coronal", "axial")  # perpendicular to x, y, z


def draw_worst(
    report: Report, cases: Sequence[Case], segmentations: Sequence[Segmentation], path: Path
) -> None:
    """A row for each case of lowest Dice: the rater's outlines white, the network's coloured."""
    from matplotlib import pyplot

    by_name = {case.name: index for index, case in enumerate(cases)}
    worst = sorted(report.figures, key=lambda each: each.mean_dice)[:WORST]
    figure, axes = pyplot.subplots(WORST, 3, figsize=(8, 2.6 * WORST), layout="constrained")
    for row, each in zip(axes, worst, strict=True):
        index = by_name[each.case]
        case = cases[index]
        offset = report.calibration.background_offset
        found = replace(segmentations[index], background_offset=offset).labels
        middle = np.argwhere(case.label > 0).mean(0).round().astype(int)
        for axis, (place, panel) in enumerate(zip(middle, row, strict=True)):
            cut = [np.take(a, place, axis).T for a in (case.image, case.label, found)]
            panel.imshow(cut[0], cmap="gray", origin="lower", vmin=-2.5, vmax=2.5)
            for label, colour in ((1, "#ffb000"), (2, "#009eff")):
                panel.contour(cut[1] == label, [0.5], colors="white", linewidths=1.6)
                panel.contour(cut[2] == label, [0.5], colors=colour, linewidths=1.1)
            panel.set(xticks=[], yticks=[], title=PLANES[axis])
        error = each.volume_error()
        row[0].set_ylabel(f"{each.case}\nDice {each.mean_dice:.3f}, volume {error:+.0%}")
    figure.savefig(path, dpi=80, metadata={"Software": None})
    pyplot.close(figure)
