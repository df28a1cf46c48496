"""A network for volumes of the site, and volumes that lie along no axis, for the tests."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from highdicom import Volume

from .tiny_onnx import write_volume_network

CARD = """\
module = "volume"
name = "bright-part"
version = "2"
title = "Bright part"
licence = "ours"
basis = "What is brighter than 500."
warnings = ["Not tested at this hospital."]

[input]
modality = "MR"

[voxels]
axes = "RAS"

[output]
name = "said"
channels = 2

[[label]]
number = 1
label = "Spleen"
"""
HERE = 13  # of 27: the voxel itself
FREE: list[int | str] = ["x", "y", "z"]


def kernel(place: int = HERE, weight: float = 1.0) -> list[float]:
    """One weight of a 3 x 3 x 3 convolution."""
    return [weight if place == index else 0.0 for index in range(27)]


def model(folder: Path, card: str = CARD, place: int = HERE, threshold: float = 500) -> Path:
    """A folder of models with one network in it: channel 1 wins where a voxel is bright."""
    ours = folder / "models" / "ours"
    ours.mkdir(parents=True)
    (ours / "card.toml").write_text(card)
    kernels = [kernel(place, -1.0), kernel(place)]
    write_volume_network(ours / "network.onnx", kernels, [threshold, -threshold], FREE)
    return ours.parent


def affine(*columns: Sequence[float]) -> np.ndarray:
    made = np.eye(4)
    made[:3, :3] = np.array(columns).T
    made[:3, 3] = (-30.0, 12.0, 7.0)
    return made


OBLIQUE = affine((0.3, -0.5, 1.9), (0.1, 0.95, 0.23), (-0.75, 0.1, 0.2))


def oblique(shape: tuple[int, int, int] = (11, 24, 17)) -> Volume:
    """Voxels of 2 x 1 x 0.8 mm on a grid that lies along no axis of the patient."""
    turned, _ = np.linalg.qr(OBLIQUE[:3, :3])
    turned *= np.sign(np.diag(turned.T @ OBLIQUE[:3, :3]))
    placed = affine(2.0 * turned[:, 0], 1.0 * turned[:, 1], 0.8 * turned[:, 2])
    return Volume(np.zeros(shape, np.float32), placed, coordinate_system="PATIENT")


def placed(values: np.ndarray) -> Volume:
    """Voxels with these values, on the grid of `oblique`."""
    slices, rows, columns = values.shape
    return oblique((slices, rows, columns)).with_array(values.astype(np.float32))


def places(volume: Volume) -> np.ndarray:
    """Where each voxel lies in the patient, LPS mm: (slices, rows, columns, 3)."""
    indices = np.moveaxis(np.indices(volume.array.shape), 0, -1)
    return np.asarray(indices @ volume.affine[:3, :3].T + volume.affine[:3, 3])


def ball(volume: Volume, radius: float) -> np.ndarray:
    """Millimetres by which each voxel lies inside a ball around the middle of the volume."""
    where = places(volume)
    middle = (where[0, 0, 0] + where[-1, -1, -1]) / 2
    return np.asarray(radius - np.linalg.norm(where - middle, axis=-1))
