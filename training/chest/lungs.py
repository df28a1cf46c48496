"""Train the lung segmenter: a small U-Net on whole films, 128 pixels square.

    python training/chest/lungs.py --data DIR --masks V7 --out OUT

`OUT/masks.csv` comes from `masks.py`. Writes the ONNX file of the module and prints the Dice on the
films of persons held out by the manifest and, of the rest, one person in eight.
"""

import argparse
import csv
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from augment import affine, intensity
from export import write
from films import Film, load, read
from hilum.modules.chest.networks import LungSegmenter
from hilum.modules.chest.preprocess import bilinear, cropped, prepare, squared

SIDE = LungSegmenter.side
CHANNELS = (16, 24, 32, 48, 64)
BATCH, RATE = 8, 3e-3


def block(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
        nn.Conv2d(after, after, 3, padding=1, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


class UNet(nn.Module):
    """(n, 1, 128, 128) films 0-1 to (n, 1, 128, 128) probabilities of lung."""

    def __init__(self) -> None:
        super().__init__()
        befores = (1, *CHANNELS[:-1])
        self.down = nn.ModuleList(block(a, b) for a, b in zip(befores, CHANNELS, strict=True))
        ups = zip(CHANNELS[:0:-1], CHANNELS[-2::-1], strict=True)
        self.up = nn.ModuleList(block(deep + flat, flat) for deep, flat in ups)
        self.last = nn.Conv2d(CHANNELS[0], 1, 1)

    def logits(self, image: torch.Tensor) -> torch.Tensor:
        kept = []
        for level, step in enumerate(self.down):
            image = step(image if level == 0 else F.max_pool2d(image, 2))
            kept.append(image)
        for step, beside in zip(self.up, kept[-2::-1], strict=True):
            enlarged = F.interpolate(image, scale_factor=2.0, mode="nearest")
            image = step(torch.cat([enlarged, beside], 1))
        logits: torch.Tensor = self.last(image)
        return logits

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.logits(image).sigmoid()


def pair(film: Film, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Image and mask, both (128, 128), 0-1."""
    prepared = prepare(film.values())
    mask = cropped(bilinear(read(path) / 255, prepared.shape), prepared.box)
    return squared(prepared.image, SIDE), squared(bilinear(mask, prepared.image.shape), SIDE)


def dice_of(network: UNet, images: torch.Tensor, masks: torch.Tensor) -> np.ndarray:
    """Dice of every film."""
    network.eval()
    with torch.no_grad():
        found = network(images) > 0.5
    truth = masks > 0.5
    both = (found & truth).sum((1, 2, 3))
    network.train()
    return (2 * both / (found.sum((1, 2, 3)) + truth.sum((1, 2, 3)))).numpy()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--masks", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=1500)
    options = parser.parse_args()

    torch.manual_seed(0)
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    with (options.out / "masks.csv").open(newline="") as table:
        named = {row["film"]: options.masks / row["mask"] for row in csv.DictReader(table)}
    films = [film for film in load(options.data) if film.path.name in named]
    pairs = [pair(film, named[film.path.name]) for film in films]
    images, masks = (torch.from_numpy(np.stack(each))[:, None] for each in zip(*pairs, strict=True))
    held = torch.tensor([film.tuning or film.split == "val" for film in films])
    training = np.flatnonzero(~held.numpy())
    print(f"{len(training)} films to train on, {int(held.sum())} held out", flush=True)

    network = UNet().train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, options.steps)
    started = time.process_time()
    for step in range(options.steps):
        picked = rng.choice(training, BATCH)
        image, mask = affine(images[picked], masks[picked], rng)
        logits = network.logits(intensity(image, rng))
        chance = logits.sigmoid()
        overlap = (2 * (chance * mask).sum() + 1) / (chance.sum() + mask.sum() + 1)
        loss = F.binary_cross_entropy_with_logits(logits, mask) + 1 - overlap
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if (step + 1) % 250 == 0:
            dice = dice_of(network, images[held], masks[held])
            print(
                f"step {step + 1}  loss {loss.item():.3f}  held-out Dice {dice.mean():.4f}  worst"
                f" {dice.min():.3f}  cpu {time.process_time() - started:.0f} s",
                flush=True,
            )
            torch.save(network.state_dict(), options.out / "lungs.pt")
    network.eval()
    write(network, torch.zeros(1, 1, SIDE, SIDE), LungSegmenter.weights, ["lungs"])


if __name__ == "__main__":
    main()
