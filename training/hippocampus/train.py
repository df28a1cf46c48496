"""Train one hippocampus network, on CPU or on whatever `--device` names.

    PYTHONPATH=src python training/hippocampus/train.py --data DIR --out DIR --held-out 4

One fold of *persons* is held out (0: none, train on everyone). Writes `last.pt` (resumable) and, at
the end, `ema.pt` (the weights to use), and prints the held-out Dice as it goes. Running it again
resumes, and does nothing once it is finished.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional as F

from augment import view_of
from data import Case, load_cases
from unet import CLASSES, UNet

RATE = 2.5e-3
WARM_UP = 100
SAVE_EVERY, SCORE_EVERY = 100, 1000


def loss_of(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Cross-entropy plus soft Dice of the two foreground classes over the batch."""
    probability = logits.softmax(1)[:, 1:]
    truth = F.one_hot(labels, CLASSES).permute(0, 4, 1, 2, 3)[:, 1:].float()
    space = (0, 2, 3, 4)
    overlap = (probability * truth).sum(space)
    total = probability.sum(space) + truth.sum(space)
    dice = (2 * overlap + 1) / (total + 1)
    return F.cross_entropy(logits, labels) + 1 - dice.mean()


@torch.no_grad()
def predict(network: UNet, image: np.ndarray) -> np.ndarray:
    """Logits (3, x, y, z) of one whole crop, padded to multiples of 8 by its edge values."""
    device = next(network.parameters()).device
    padding = [(0, -n % 8) for n in image.shape]
    padded = torch.from_numpy(np.pad(image, padding, mode="edge"))[None, None]
    logits = network(padded.to(device))[0].cpu().numpy()
    return logits[:, : image.shape[0], : image.shape[1], : image.shape[2]]


def dice_of(predicted: np.ndarray, label: np.ndarray) -> list[float]:
    """Dice of anterior and posterior."""
    return [
        2
        * float(((predicted == k) & (label == k)).sum())
        / float((predicted == k).sum() + (label == k).sum())
        for k in (1, 2)
    ]


def tensor_of(case: Case, device: str) -> torch.Tensor:
    """(4, x, y, z): the image, and 1 where a voxel is of each class."""
    classes = F.one_hot(torch.from_numpy(case.label).long(), CLASSES).permute(3, 0, 1, 2)
    return torch.cat([torch.from_numpy(case.image)[None], classes.float()]).to(device)


class Training:
    """A network, the moving average of its weights, and where its training stands."""

    def __init__(self, out: Path, steps: int, seed: int, device: str) -> None:
        self.out, self.steps, self.seed, self.device = out, steps, seed, device
        torch.manual_seed(seed)
        self.network = UNet().to(device, memory_format=torch.channels_last_3d)
        self.average = UNet().to(device, memory_format=torch.channels_last_3d)
        self.average.load_state_dict(self.network.state_dict())
        self.optimiser = torch.optim.AdamW(self.network.parameters(), lr=RATE, weight_decay=1e-2)
        self.step, self.cpu = 0, 0.0
        if self._last.exists():
            saved = torch.load(self._last, weights_only=False, map_location=device)
            self.network.load_state_dict(saved["network"])
            self.average.load_state_dict(saved["average"])
            self.optimiser.load_state_dict(saved["optimiser"])
            self.step, self.cpu = saved["step"], saved["cpu"]
            torch.manual_seed(seed + self.step)

    @property
    def _last(self) -> Path:
        return self.out / "last.pt"

    def advance(self, images: torch.Tensor, labels: torch.Tensor) -> float:
        """One step on a batch; returns the loss."""
        rate = RATE * (1 - self.step / self.steps) ** 0.9 * min(1, (self.step + 1) / WARM_UP)
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        images = images.contiguous(memory_format=torch.channels_last_3d)
        with torch.autocast(self.device.split(":")[0], torch.bfloat16):
            logits = self.network(images)
        loss = loss_of(logits.float(), labels)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimiser.step()
        decay = min(0.998, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for mean, now in zip(self.average.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)
        self.step += 1
        return loss.item()

    def save(self, cpu: float) -> None:
        """Write `last.pt`, and `ema.pt` when it is finished; a kill leaves the older file whole."""
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "step": self.step,
            "cpu": cpu,
        }
        torch.save(state, self._last.with_suffix(".new"))
        self._last.with_suffix(".new").replace(self._last)
        if self.step == self.steps:
            torch.save(self.average.state_dict(), self.out / "ema.pt")


def train(training: Training, cases: Sequence[Case], held_out: Sequence[Case], batch: int) -> None:
    """Until all steps are made, saving on the way."""
    rng = np.random.default_rng((training.seed, training.step))
    tensors = [tensor_of(case, training.device) for case in cases]
    spent = training.cpu - time.process_time()
    while training.step < training.steps:
        picked = rng.choice(len(tensors), batch, replace=False)
        views = [view_of(tensors[i], rng) for i in picked]
        loss = training.advance(*(torch.stack(each) for each in zip(*views, strict=True)))
        last = training.step == training.steps
        if training.step % SAVE_EVERY == 0 or last:
            cpu = spent + time.process_time()
            training.save(cpu)
            print(f"step {training.step:6d}  loss {loss:.3f}  cpu {cpu:.0f} s", flush=True)
        if held_out and (training.step % SCORE_EVERY == 0 or last):
            scores = [
                dice_of(predict(training.average, c.image).argmax(0), c.label) for c in held_out
            ]
            anterior, posterior = np.mean(scores, axis=0)
            print(f"    held out: anterior {anterior:.4f}  posterior {posterior:.4f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--held-out", type=int, default=4, help="fold of persons; 0 for none")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)

    torch.set_num_threads(options.threads)
    cases = load_cases(options.data)
    seen = [c for c in cases if c.fold != options.held_out]
    held_out = [c for c in cases if c.fold == options.held_out]
    print(f"{len(seen)} cases to train on, {len(held_out)} held out", flush=True)
    train(
        Training(options.out, options.steps, options.seed, options.device),
        seen,
        held_out,
        options.batch,
    )


if __name__ == "__main__":
    main()
