"""Random views of a case: where it is looked at, and what the scanner made of it."""

import numpy as np
import torch
from torch.nn import functional as F

PATCH = (32, 48, 32)
CENTRED = torch.stack(
    torch.meshgrid(*[torch.arange(n) - (n - 1) / 2 for n in PATCH], indexing="ij"), dim=-1
)  # (*PATCH, 3): places of the patch's voxels about its centre, mm


def view_of(case: torch.Tensor, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """One random affine + elastic view of a case.

    `case` is (4, x, y, z): the image, and 1 where a voxel is background, anterior and posterior.
    Gives the image (1, *PATCH) and the labels (*PATCH). No flips: every crop shows the same hand
    (mirrored pairs), and so does every input in use.
    """
    size = np.array(case.shape[1:])
    slack = np.maximum(size - PATCH, 0) / 2 + 2
    centre = (size - 1) / 2 + rng.uniform(-slack, slack)
    matrix, shift = (torch.from_numpy(a.astype(np.float32)) for a in (_affine(rng), centre))
    where = (CENTRED @ matrix.T + shift).to(case.device)
    if rng.random() < 0.7:
        coarse = 1.3 * torch.randn((1, 3, 5, 7, 5), device=case.device)
        elastic = F.interpolate(coarse, size=PATCH, mode="trilinear", align_corners=True)
        where = where + elastic[0].permute(1, 2, 3, 0)
    # grid_sample wants (z, y, x) order in [-1, 1]
    unit = 2 * where / torch.tensor(size - 1, dtype=torch.float32, device=case.device) - 1
    view = F.grid_sample(
        case[None], unit.flip(-1)[None], padding_mode="border", align_corners=True
    )[0]
    return scanned(view[:1], rng), view[1:].argmax(0)


def _affine(rng: np.random.Generator) -> np.ndarray:
    """Rotations of some 7 degrees about each axis, sizes of 9 % (all) and 5 % (each axis)."""
    matrix = np.diag(np.exp(rng.normal(0, 0.09)) * np.exp(rng.normal(0, 0.05, 3)))
    for (i, j), angle in zip(((1, 2), (0, 2), (0, 1)), rng.normal(0, 0.13, 3), strict=True):
        turn = np.eye(3)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    return matrix


def scanned(view: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Contrast, gamma, bias field and noise, each sometimes; (1, *PATCH)."""
    if rng.random() < 0.5:
        low, high = view.min(), view.max()
        unit = (view - low) / (high - low + 1e-6)
        view = unit ** float(np.exp(rng.normal(0, 0.25))) * (high - low) + low
    if rng.random() < 0.5:
        field = 0.15 * torch.randn((1, 1, 3, 3, 3), device=view.device)
        view = view * (1 + F.interpolate(field, size=PATCH, mode="trilinear")[0])
    if rng.random() < 0.5:
        view = view + float(rng.uniform(0, 0.15)) * torch.randn_like(view)
    return view * float(np.exp(rng.normal(0, 0.1))) + float(rng.normal(0, 0.1))
