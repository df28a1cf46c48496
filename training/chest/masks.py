"""Find which lung mask belongs to which film: the manifest does not keep the original file names.

    python training/chest/masks.py --data DIR --masks V7 --out OUT [--lungs lungs.onnx]

`V7` holds the lung masks of the V7 Labs annotation of the ieee8023 collection (in the
torchxrayvision wheel: data/semantic_masks_v7labs_lungs.zip). A mask belongs to a film if the aspect
ratio is the same and it overlaps what a segmenter finds, clearly better than every other mask.
Writes `OUT/masks.csv`.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from PIL import Image

from films import load, read
from hilum.modules.chest.networks import LungSegmenter
from hilum.modules.chest.preprocess import bilinear, prepare

SIDE = 96
LEAST_DICE, LEAST_LEAD = 0.88, 0.03
LARGEST_STRETCH = 0.006  # difference of the logarithms of the aspect ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--masks", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--lungs", type=Path, default=LungSegmenter.weights)
    options = parser.parse_args()

    paths = sorted(path for path in options.masks.iterdir() if path.is_file())
    aspects, shapes = [], []
    for path in paths:
        mask = read(path)
        aspects.append(mask.shape[1] / mask.shape[0])
        with Image.open(path) as picture:
            small = picture.convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
        shapes.append(np.asarray(small, np.float32).ravel() > 127)
    known = np.stack(shapes).astype(np.float32)
    segment = LungSegmenter(options.lungs)
    found: dict[Path, tuple[float, str]] = {}
    for film in load(options.data):
        if film.source != "ieee8023":
            continue
        prepared = prepare(film.values())
        lungs = prepared.on_film(segment(prepared.image))
        seen = (bilinear(lungs, (SIDE, SIDE)).ravel() > 0.5).astype(np.float32)
        dice = 2 * (known @ seen) / (known.sum(1) + seen.sum() + 1e-6)
        stretch = np.abs(np.log(np.array(aspects) * prepared.shape[0] / prepared.shape[1]))
        dice[stretch > LARGEST_STRETCH] = 0
        second, first = np.argsort(dice)[-2:]
        if dice[first] < LEAST_DICE or dice[first] - dice[second] < LEAST_LEAD:
            continue
        if dice[first] > found.get(paths[first], (0.0, ""))[0]:  # a mask belongs to one film
            found[paths[first]] = (float(dice[first]), film.path.name)
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / "masks.csv").open("w", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["film", "mask"])
        table.writerows(sorted((film, path.name) for path, (_, film) in found.items()))
    print(f"{len(found)} masks belong to a film")


if __name__ == "__main__":
    main()
