"""Random changes of films in training: what must not matter to a network.

Batches are (n, 1, rows, columns), 0-1.
"""

import numpy as np
import torch
from torch.nn import functional as F


def affine(
    images: torch.Tensor, masks: torch.Tensor, rng: np.random.Generator, reach: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Turned by some degrees, scaled, shifted and mirrored, images and masks alike."""
    count = len(images)
    angle = rng.normal(0, 0.1 * reach, count)
    scale = np.exp(rng.normal(0, 0.12 * reach, (count, 2)))
    mirror = np.where(rng.random(count) < 0.5, -1, 1)
    matrix = np.zeros((count, 2, 3), np.float32)
    matrix[:, 0, 0] = np.cos(angle) * scale[:, 0] * mirror
    matrix[:, 0, 1] = -np.sin(angle) * scale[:, 1]
    matrix[:, 1, 0] = np.sin(angle) * scale[:, 0] * mirror
    matrix[:, 1, 1] = np.cos(angle) * scale[:, 1]
    matrix[:, :, 2] = rng.normal(0, 0.1 * reach, (count, 2))
    grid = F.affine_grid(torch.from_numpy(matrix), list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    covered = F.grid_sample(masks, grid, padding_mode="zeros", align_corners=False)
    return moved, covered


def intensity(images: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Other exposure, window, sharpness, resolution and noise, film by film."""
    return torch.stack([_intensity(image, rng) for image in images])


def _intensity(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    image = image ** float(np.exp(rng.normal(0, 0.35)))
    low, high = rng.uniform(-0.15, 0.15), rng.uniform(0.85, 1.15)
    image = (image - low) / (high - low)
    if rng.random() < 0.5:  # uneven exposure
        field = torch.from_numpy(rng.normal(0, 0.1, (1, 1, 3, 3)).astype(np.float32))
        size = list(image.shape[-2:])
        image = image + F.interpolate(field, size, mode="bilinear", align_corners=True)[0]
    if rng.random() < 0.5:
        image = _resolution(image, rng)
    if rng.random() < 0.5:
        noise = torch.from_numpy(rng.standard_normal(image.shape).astype(np.float32))
        image = image + float(rng.uniform(0, 0.06)) * noise
    return image.clamp(0, 1)


def _resolution(image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Blurred by a lower resolution, or sharpened against it."""
    size = list(image.shape[-2:])
    coarse = [max(8, int(side / rng.uniform(1.2, 2.5))) for side in size]
    low = F.interpolate(image[None], coarse, mode="bilinear", antialias=True)
    blurred = F.interpolate(low, size, mode="bilinear")[0]
    return image + float(rng.uniform(-1, 1)) * (image - blurred)


def erased(images: torch.Tensor, lungs: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Rectangles of one grey laid outside the lungs: markers, text and borders must not matter."""
    images = images.clone()
    rows, columns = images.shape[-2:]
    for image, lung in zip(images, lungs, strict=True):
        for _ in range(int(rng.integers(0, 7))):
            height, width = (int(side * rng.uniform(0.08, 0.4)) for side in (rows, columns))
            top, left = (
                int(rng.integers(-height // 2, rows - height // 2)),
                int(rng.integers(-width // 2, columns - width // 2)),
            )
            part = (..., slice(max(top, 0), top + height), slice(max(left, 0), left + width))
            grey = float(rng.choice([0.0, 1.0, rng.random()]))
            image[part] = torch.where(lung[part] > 0.5, image[part], grey)
    return images
