"""Train the gate: heads on the trunk's view of the whole film, and its nearest neighbours.

    python training/chest/gate.py --data DIR --out OUT

Trains on changed films of training persons; bounds come from persons kept aside. Half of the odd
inputs (every second one) serve as examples, the other half stays for evaluate.py.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional as F

import changes
from export import write
from films import Film, load, odd, read
from hilum.modules.chest.gates import CALIBRATION_KEY, FILM_KINDS, GateBounds, PixelGate
from hilum.modules.chest.networks import LungSegmenter
from hilum.modules.chest.preprocess import prepare, squared
from lite import GATE, Trunk
from views import FrozenTrunk

DIMENSIONS, NEAREST = 64, 3
HIDDEN, EPOCHS, BATCH = 128, 40, 128
VIEWS_OF_ODD = 20
REFUSED = {"frontal": 0.005, "distance": 0.005, "lungs": 0.002}  # of good films, by each bound


class Gate(nn.Module):
    """Films (n, 1, 192, 192) and lungs (n, 1, 128, 128) to chances of kinds and distances."""

    def __init__(self, trunk: nn.Module) -> None:
        super().__init__()
        self.trunk = trunk
        self.pool, self.pool_lungs = nn.AvgPool2d(4), nn.AvgPool2d(8)
        size = 112 * 9
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("spread", torch.ones(size))
        self.register_buffer("axes", torch.zeros(size, DIMENSIONS))
        self.register_buffer("known", torch.zeros(DIMENSIONS, 1))
        self.heads = nn.Sequential(
            nn.Dropout(0.2),
            nn.Linear(size + 256, HIDDEN),
            nn.ReLU(),
            nn.Dropout(0.3),
            nn.Linear(HIDDEN, len(FILM_KINDS)),
        )

    def standard(self, features: torch.Tensor) -> torch.Tensor:
        return (self.pool(features).flatten(1) - self.mean) / self.spread

    def logits(self, standard: torch.Tensor, lungs: torch.Tensor) -> torch.Tensor:
        shape = self.pool_lungs(lungs).flatten(1) * 2 - 1
        logits: torch.Tensor = self.heads(torch.cat([standard, shape], 1))
        return logits

    def distance(self, standard: torch.Tensor) -> torch.Tensor:
        """1 - mean cosine similarity to the nearest training films, along their main axes."""
        similar = F.normalize(standard @ self.axes, dim=1) @ self.known
        return 1 - similar.topk(NEAREST, dim=1).values.mean(1)

    def forward(
        self, image: torch.Tensor, lungs: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        standard = self.standard(self.trunk(image))
        return self.logits(standard, lungs).softmax(1), self.distance(standard)

    def remember(self, features: torch.Tensor) -> None:
        """Take the axes and neighbours from the features of good films."""
        pooled = self.pool(features).flatten(1)
        self.mean, self.spread = pooled.mean(0), pooled.std(0) + 1e-3
        standard = self.standard(features)
        _, values, axes = torch.linalg.svd(standard, full_matrices=False)
        self.axes = (axes[:DIMENSIONS] / values[:DIMENSIONS, None]).T * len(standard) ** 0.5
        self.known = F.normalize(standard @ self.axes, dim=1).T.contiguous()


def views(
    film: Film, crop: changes.Cropper, rng: np.random.Generator
) -> Iterator[tuple[str, np.ndarray]]:
    """Views of one film with their kind: good ones, and one or two of every fault."""
    values = film.values()
    yield "frontal", values
    yield "frontal", changes.mild(values, rng)
    for low, high, kind in (
        (changes.LUNGS_KEPT, 1.0, "frontal"),
        (*changes.LUNGS_LOST, "cropped"),
        (*changes.LUNGS_LOST, "cropped"),
    ):
        part = crop(values, rng, low, high)
        if part is not None:
            yield kind, changes.mild(part, rng)
    for kind, change in (
        ("rotated", changes.rotated),
        ("upside-down", changes.upside_down),
        ("inverted", changes.inverted),
    ):
        yield kind, change(changes.mild(values, rng), rng)
    if rng.random() < 0.3:
        yield "other", changes.nothing(rng, values)


def odd_views(folder: Path, rng: np.random.Generator) -> Iterator[tuple[str, np.ndarray]]:
    """Views of the odd inputs that serve as examples."""
    for path, kind in odd(folder)[::2]:
        for _ in range(VIEWS_OF_ODD):
            yield ("lateral" if kind == "lateral" else "other"), changes.mild(read(path), rng)


class Seen:
    """Views as the gate sees them."""

    def __init__(self, trunk: FrozenTrunk) -> None:
        self._segment, self._trunk = LungSegmenter(), trunk

    def __call__(
        self, kinds_and_values: list[tuple[str, np.ndarray]]
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Features (n, 112, h, w), lungs (n, 1, 128, 128), both float16, and kinds (n,)."""
        images, lungs = [], []
        for _, values in kinds_and_values:
            image = prepare(values).image
            found = self._segment(image)
            images.append(squared(image, PixelGate.side))
            lungs.append(squared(found, PixelGate.lung_side))
        features = self._trunk(torch.from_numpy(np.stack(images))[:, None])
        kinds = np.array([FILM_KINDS.index(kind) for kind, _ in kinds_and_values])
        return features, np.stack(lungs)[:, None].astype(np.float16), kinds


def gather(films: list[Film], data: Path, out: Path) -> dict[str, np.ndarray]:
    """Everything the gate learns from, kept in `out`; `aside` marks persons kept aside."""
    path = out / "gate-views.npz"
    if not path.exists():
        rng = np.random.default_rng(0)
        seen, crop = Seen(FrozenTrunk(out, GATE)), changes.Cropper()
        parts: list[tuple[np.ndarray, ...]] = []
        for film in films:
            features, lungs, kinds = seen(list(views(film, crop, rng)))
            parts.append((features, lungs, kinds, np.full(len(kinds), film.tuning)))
        features, lungs, kinds = seen(list(odd_views(data, rng)))
        parts.append((features, lungs, kinds, np.zeros(len(kinds), bool)))
        names = ("features", "lungs", "kinds", "aside")
        np.savez(
            path,
            **{n: np.concatenate(p) for n, p in zip(names, zip(*parts, strict=True), strict=True)},
        )
    with np.load(path) as stored:
        return dict(stored)


def fit(gate: Gate, standard: torch.Tensor, lungs: torch.Tensor, kinds: torch.Tensor) -> None:
    """Train the heads; every kind is drawn equally often, good films as often as all others."""
    rng = np.random.default_rng(0)
    counts = np.bincount(kinds.numpy(), minlength=len(FILM_KINDS))
    weight = 1 / counts[kinds.numpy()]
    weight[kinds.numpy() == 0] *= 3
    weight /= weight.sum()
    optimiser = torch.optim.AdamW(gate.heads.parameters(), lr=1e-3, weight_decay=0.05)
    steps = EPOCHS * len(kinds) // BATCH
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, steps)
    gate.heads.train()
    for _ in range(steps):
        picked = rng.choice(len(kinds), BATCH, p=weight)
        logits = gate.logits(standard[picked], lungs[picked])
        loss = F.cross_entropy(logits, kinds[picked], label_smoothing=0.02)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    gate.eval()


@torch.no_grad()
def calibrate(
    gate: Gate, standard: torch.Tensor, lungs: torch.Tensor, kinds: torch.Tensor
) -> GateBounds:
    """Bounds that refuse few good films of persons kept aside; print what they refuse of others."""
    frontal = gate.logits(standard, lungs).softmax(1)[:, 0].numpy()
    distance = gate.distance(standard).numpy()
    share = (lungs > 0.5).float().mean((1, 2, 3)).numpy()
    good = kinds.numpy() == 0
    bounds = GateBounds(
        least_frontal=float(np.quantile(frontal[good], REFUSED["frontal"])),
        largest_distance=float(np.quantile(distance[good], 1 - REFUSED["distance"])),
        least_lungs=float(np.quantile(share[good], REFUSED["lungs"])),
    )
    refused = (frontal < bounds.least_frontal) | (distance > bounds.largest_distance)
    refused |= share < bounds.least_lungs
    print(bounds)
    for index, kind in enumerate(FILM_KINDS):
        of = kinds.numpy() == index
        if of.any():
            print(f"{kind}: {refused[of].mean():.1%} of {of.sum()} refused", flush=True)
    return bounds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(1)
    started = time.process_time()
    films = [film for film in load(options.data) if film.split == "train"]
    gathered = gather(films, options.data, options.out)
    print(f"{len(gathered['kinds'])} views, cpu {time.process_time() - started:.0f} s", flush=True)
    features = torch.from_numpy(gathered["features"].astype(np.float32))
    lungs = torch.from_numpy(gathered["lungs"].astype(np.float32))
    kinds = torch.from_numpy(gathered["kinds"])
    aside = torch.from_numpy(gathered["aside"])

    gate = Gate(Trunk(GATE)).eval()
    gate.remember(features[(kinds == 0) & ~aside])
    with torch.no_grad():
        standard = gate.standard(features)
    fit(gate, standard[~aside], lungs[~aside], kinds[~aside])
    bounds = calibrate(gate, standard[aside], lungs[aside], kinds[aside])
    sides = (PixelGate.side, PixelGate.lung_side)
    example = tuple(torch.zeros(1, 1, side, side) for side in sides)
    write(gate, example, PixelGate.weights, ["kinds", "distance"], ["image", "lungs"])
    model = onnx.load(PixelGate.weights)
    onnx.helper.set_model_props(model, {CALIBRATION_KEY: bounds.write()})
    PixelGate.weights.write_bytes(model.SerializeToString(deterministic=True))
    print(f"cpu {time.process_time() - started:.0f} s")


if __name__ == "__main__":
    main()
