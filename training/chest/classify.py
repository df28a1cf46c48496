"""Train the tail of the classifier on the trunk's features."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from films import Film
from lite import WIDTH, Tail

BATCH = 32
RATE = 6e-4
AVERAGE = 0.98
MOST_REPEATED = 6.0  # how much more often than on average a film of a rare group is drawn
GROUP_STEP = 0.02  # of group DRO (Sagawa et al. 2020)
SMOOTHING = 0.05


@dataclass(frozen=True)
class Method:
    """`balanced` draws class and source evenly; `robust` is group DRO; `adversarial` hides the
    source from the embedding by reversed gradients (Ganin et al. 2016)."""

    balanced: bool = False
    robust: bool = False
    adversarial: bool = False


class Reversed(torch.autograd.Function):
    """Itself forwards, the negative gradient backwards."""

    @staticmethod
    def forward(ctx: object, x: torch.Tensor) -> torch.Tensor:
        return x.view_as(x)

    @staticmethod
    def backward(ctx: object, gradient: torch.Tensor) -> torch.Tensor:
        return -0.3 * gradient


def chances(films: Sequence[Film], balanced: bool) -> np.ndarray:
    """How likely each film is drawn: classes evenly, and with `balanced` their sources too."""
    kinds = {kind: sum(film.kind == kind for film in films) for kind in {f.kind for f in films}}
    groups = {name: sum(f.group == name for f in films) for name in {f.group for f in films}}
    weights = []
    for film in films:
        sources = sum(name.startswith(film.kind) for name in groups)
        even = 1 / (sources * groups[film.group])
        weights.append(even if balanced else 1 / kinds[film.kind])
    chance = np.array(weights)
    chance = np.minimum(chance / chance.mean(), MOST_REPEATED)
    return np.asarray(chance / chance.sum())


def train(
    features: np.ndarray, films: Sequence[Film], method: Method, epochs: int, seed: int = 0
) -> Tail:
    """`features` (views, n, channels, h, w) of `films`; the moving average of the weights."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    # channels last is twice as fast; batch normalisation keeps its ImageNet statistics
    tail = Tail().to(memory_format=torch.channels_last).eval()
    average = copy.deepcopy(tail)
    sources = sorted({film.source for film in films})
    groups = sorted({film.group for film in films})
    source_of = torch.tensor([sources.index(film.source) for film in films])
    group_of = torch.tensor([groups.index(film.group) for film in films])
    labels = torch.tensor([film.label for film in films])
    critic = nn.Linear(WIDTH, len(sources))
    burden = torch.ones(len(groups)) / len(groups)
    steps = epochs * len(films) // BATCH
    optimiser = torch.optim.AdamW(
        [
            {"params": [p for n, p in tail.named_parameters() if "linear" not in n], "lr": RATE},
            {"params": [*tail.linear.parameters(), *critic.parameters()], "lr": 3 * RATE},
        ],
        weight_decay=0.02,
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, [RATE, 3 * RATE], steps, pct_start=0.15
    )
    drawn = chances(films, method.balanced or method.robust)
    for step in range(steps):
        picked = rng.choice(len(films), BATCH, p=drawn)
        views = rng.integers(len(features), size=BATCH)
        x = torch.from_numpy(features[views, picked].astype(np.float32))
        x = x.contiguous(memory_format=torch.channels_last)
        embedded = F.dropout2d(tail.embed(x), 0.2)
        logits = tail.logits(tail.classify(embedded))
        losses = F.cross_entropy(
            logits, labels[picked], reduction="none", label_smoothing=SMOOTHING
        )
        loss = losses.mean()
        if method.robust:
            burden, loss = _robust(losses, group_of[picked], burden)
        if method.adversarial:
            seen = critic(Reversed.apply(embedded.mean((2, 3))))
            loss = loss + F.cross_entropy(seen, source_of[picked])
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(tail.parameters(), 2.0)
        optimiser.step()
        schedule.step()
        decay = min(AVERAGE, (step + 1) / (step + 10))
        with torch.no_grad():
            for mean, now in zip(average.parameters(), tail.parameters(), strict=True):
                mean.lerp_(now, 1 - decay)
    return average


def _robust(
    losses: torch.Tensor, groups: torch.Tensor, burden: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Group DRO: groups that are learnt badly weigh more."""
    count = torch.zeros_like(burden).index_add_(0, groups, torch.ones_like(losses))
    total = torch.zeros_like(burden).index_add_(0, groups, losses)
    mean = total / count.clamp(min=1)
    burden = burden * torch.exp(GROUP_STEP * mean.detach())
    burden = burden / burden.sum()
    return burden, (burden * mean).sum() / (burden * (count > 0)).sum()


@torch.no_grad()
def activations(tail: Tail, features: np.ndarray) -> torch.Tensor:
    """Class activation maps (n, 3, h, w) of plain features (n, channels, h, w)."""
    parts = [
        tail(torch.from_numpy(features[i : i + BATCH].astype(np.float32)))
        for i in range(0, len(features), BATCH)
    ]
    return torch.cat(parts)
