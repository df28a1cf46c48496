"""Train the hippocampus network on CPU.

    PYTHONPATH=src python training/hippocampus/train.py --data DIR --out DIR [--held-out 4]

One fold of *persons* is held out. Writes `last.pt` (resumable) and `ema.pt` (the weights to export)
and prints the held-out Dice as it goes.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from data import Case, load_cases
from unet import UNet

PATCH = (32, 48, 32)


def augmented_patch(case: Case, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """One random affine + elastic view of a case: (1, *PATCH) image and (*PATCH) label.

    No flips: every crop shows the same hand (mirrored pairs), and so does every input in use.
    """
    image = torch.from_numpy(case.image)[None, None]
    onehot = F.one_hot(torch.from_numpy(case.label).long(), 3).permute(3, 0, 1, 2)[None].float()
    size = np.array(case.image.shape)
    patch = np.array(PATCH)

    angles = rng.normal(0, 0.13, 3)
    scale = np.exp(rng.normal(0, 0.09)) * np.exp(rng.normal(0, 0.05, 3))
    rotation = np.eye(3)
    for axis, angle in enumerate(angles):
        turn = np.eye(3)
        i, j = [(1, 2), (0, 2), (0, 1)][axis]
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        rotation = rotation @ turn
    matrix = rotation @ np.diag(scale)

    grid = np.stack(
        np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in patch], indexing="ij"), axis=-1
    )
    slack = np.maximum(size - patch, 0) / 2 + 2
    centre = (size - 1) / 2 + rng.uniform(-slack, slack)
    where = torch.from_numpy((grid @ matrix.T + centre).astype(np.float32))
    if rng.random() < 0.7:
        coarse = torch.from_numpy(rng.normal(0, 1.3, (1, 3, 5, 7, 5)).astype(np.float32))
        elastic = F.interpolate(coarse, size=PATCH, mode="trilinear", align_corners=True)
        where = where + elastic[0].permute(1, 2, 3, 0)
    # grid_sample wants (z, y, x) order in [-1, 1]
    unit = 2 * where / torch.from_numpy((size - 1).astype(np.float32)) - 1
    unit = unit.flip(-1)[None]
    view = F.grid_sample(image, unit, padding_mode="border", align_corners=True)[0]
    label = F.grid_sample(onehot, unit, padding_mode="zeros", align_corners=True)[0].argmax(0)
    return augmented_intensity(view, rng), label


def augmented_intensity(view: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Contrast, gamma, bias field, blur (lower resolution) and noise, each sometimes."""
    if rng.random() < 0.5:
        low, high = view.min(), view.max()
        unit = (view - low) / (high - low + 1e-6)
        view = unit ** float(np.exp(rng.normal(0, 0.25))) * (high - low) + low
    if rng.random() < 0.5:
        field = torch.from_numpy(rng.normal(0, 0.15, (1, 1, 3, 3, 3)).astype(np.float32))
        view = view * (1 + F.interpolate(field, size=PATCH, mode="trilinear")[0])
    if rng.random() < 0.15:
        factors = [int(rng.integers(1, 3)) for _ in PATCH]
        coarse = F.avg_pool3d(view[None], factors)
        view = F.interpolate(coarse, size=PATCH, mode="trilinear")[0]
    if rng.random() < 0.5:
        view = view + float(rng.uniform(0, 0.15)) * torch.from_numpy(
            rng.standard_normal(view.shape).astype(np.float32)
        )
    return view * float(np.exp(rng.normal(0, 0.1))) + float(rng.normal(0, 0.1))


def loss_of(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    """Cross-entropy plus soft Dice of the two foreground classes over the batch."""
    probability = logits.softmax(1)[:, 1:]
    truth = F.one_hot(label, 3).permute(0, 4, 1, 2, 3)[:, 1:].float()
    overlap = (probability * truth).sum((0, 2, 3, 4))
    total = probability.sum((0, 2, 3, 4)) + truth.sum((0, 2, 3, 4))
    dice = (2 * overlap + 1) / (total + 1)
    return F.cross_entropy(logits, label) + 1 - dice.mean()


@torch.no_grad()
def predict(network: UNet, image: np.ndarray) -> np.ndarray:
    """Logits (3, x, y, z) of one whole crop, padded to multiples of 8 by its edge values."""
    padding = [(0, -n % 8) for n in image.shape]
    padded = torch.from_numpy(np.pad(image, padding, mode="edge"))[None, None]
    logits = network(padded)[0].numpy()
    return logits[:, : image.shape[0], : image.shape[1], : image.shape[2]]


def dice_of(predicted: np.ndarray, label: np.ndarray) -> list[float]:
    """Dice of anterior and posterior."""
    return [
        2
        * float(((predicted == k) & (label == k)).sum())
        / float((predicted == k).sum() + (label == k).sum())
        for k in (1, 2)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--held-out", type=int, default=4, help="fold of persons never trained on")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    rng = np.random.default_rng(options.seed)
    cases = load_cases(options.data)
    training = [c for c in cases if c.fold != options.held_out]
    held_out = [c for c in cases if c.fold == options.held_out]
    print(f"{len(training)} cases to train on, {len(held_out)} held out", flush=True)

    network = UNet().to(memory_format=torch.channels_last_3d)
    average = UNet()
    average.load_state_dict(network.state_dict())
    optimiser = torch.optim.AdamW(network.parameters(), lr=2.5e-3, weight_decay=1e-2)
    first = 0
    last = options.out / "last.pt"
    if last.exists():
        saved = torch.load(last, weights_only=False)
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        optimiser.load_state_dict(saved["optimiser"])
        first = saved["step"]
        rng = np.random.default_rng((options.seed, first))

    started = time.process_time()
    for step in range(first, options.steps):
        rate = 2.5e-3 * (1 - step / options.steps) ** 0.9 * min(1, (step + 1) / 100)
        for group in optimiser.param_groups:
            group["lr"] = rate
        picked = rng.choice(len(training), options.batch, replace=False)
        views = [augmented_patch(training[i], rng) for i in picked]
        images = torch.stack([v for v, _ in views]).to(memory_format=torch.channels_last_3d)
        labels = torch.stack([label for _, label in views])
        loss = loss_of(network(images), labels)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimiser.step()
        decay = min(0.998, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, now in zip(average.parameters(), network.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)

        if (step + 1) % 500 == 0 or step + 1 == options.steps:
            scores = [dice_of(predict(average, c.image).argmax(0), c.label) for c in held_out]
            anterior, posterior = np.mean(scores, axis=0) if scores else (float("nan"),) * 2
            print(
                f"step {step + 1:6d}  loss {loss.item():.3f}  anterior {anterior:.4f}  "
                f"posterior {posterior:.4f}  cpu {time.process_time() - started:.0f} s",
                flush=True,
            )
            torch.save(average.state_dict(), options.out / "ema.pt")
            torch.save(
                {
                    "network": network.state_dict(),
                    "average": average.state_dict(),
                    "optimiser": optimiser.state_dict(),
                    "step": step + 1,
                },
                last,
            )


if __name__ == "__main__":
    main()
