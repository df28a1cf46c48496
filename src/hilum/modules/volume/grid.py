"""From the grid of a series to that of a network, and back.

The axes are permuted and turned round, never rotated: an oblique series stays oblique, as networks
are trained. Both grids have the same middle; outside a grid the nearest voxel stands.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from highdicom import Volume
from scipy.ndimage import affine_transform

from hilum.modules.volume.card import Voxels

ORDERS = {"nearest": 0, "linear": 1, "cubic": 3}
SAME = 0.05  # voxels by which the ends of two grids may differ that are taken for one
DICOM_LETTERS = str.maketrans("SI", "HF")  # superior and inferior are head and foot in DICOM


@dataclass(frozen=True, eq=False)
class NetworkGrid:
    """The grid on which a network sees `source`, a volume of any orientation and spacing."""

    source: Volume
    voxels: Voxels

    @cached_property
    def _upright(self) -> Volume:
        """The source along the axes of the network; a view."""
        return self.source.to_patient_orientation(self.voxels.axes.translate(DICOM_LETTERS))

    @cached_property
    def spacing(self) -> tuple[float, ...]:
        """Millimetres between voxels along the axes of the network."""
        return tuple(s * t for s, t in zip(self._upright.spacing, self._steps, strict=True))

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Voxels along the axes of the network."""
        upright = self._upright
        if self.voxels.spacing is None:
            return tuple(upright.array.shape)
        sides = zip(upright.array.shape, upright.spacing, self.voxels.spacing, strict=True)
        return tuple(max(1, round(n * own / wanted)) for n, own, wanted in sides)

    @cached_property
    def _steps(self) -> tuple[float, ...]:
        """How many voxels of the source lie between two of the network, along its axes."""
        upright = self._upright
        if self.voxels.spacing is None:
            return (1.0, 1.0, 1.0)
        sides = zip(upright.array.shape, self.voxels.spacing, upright.spacing, strict=True)
        steps = ((n, wanted / own) for n, wanted, own in sides)
        return tuple(1.0 if abs(step - 1) * n < SAME else step for n, step in steps)

    @property
    def _offsets(self) -> np.ndarray:
        """Where the first voxel of the network lies in the source, in voxels of the source."""
        own, wanted = np.array(self._upright.array.shape), np.array(self.shape)
        return np.asarray(((own - 1) - np.array(self._steps) * (wanted - 1)) / 2)

    @property
    def is_that_of_source(self) -> bool:
        """Whether no voxel lies between those of the source."""
        return all(step == 1 for step in self._steps)

    def sampled(self) -> np.ndarray:
        """The voxels as the network sees them, float32, along its axes."""
        array = np.asarray(self._upright.array, np.float32)
        if self.is_that_of_source:
            return np.ascontiguousarray(array)
        order = ORDERS[self.voxels.interpolation]
        return self._resampled(array, self._steps, self._offsets, self.shape, order)

    def likeliest(self, channels: Iterable[np.ndarray]) -> Volume:
        """The number of the likeliest channel in each voxel of the source, uint16.

        `channels` are probabilities on the grid of the network, one array for each. Between its
        voxels they are interpolated before the highest is taken, or rims would have steps.
        """
        best: np.ndarray | None = None
        numbers = np.zeros(self._upright.array.shape, np.uint16)
        for number, channel in enumerate(channels):
            here = self._on_source(channel)
            if best is None:
                best = here.copy()
                continue
            higher = here > best
            numbers[higher] = number
            best[higher] = here[higher]
        return self._laid(numbers)

    def above(self, channel: np.ndarray, threshold: float) -> Volume:
        """Where a channel, on the grid of the network, is above `threshold`: boolean."""
        return self._laid(self._on_source(channel) > threshold)

    def _on_source(self, channel: np.ndarray) -> np.ndarray:
        channel = np.asarray(channel, np.float32)
        if self.is_that_of_source:
            return channel
        steps = 1 / np.array(self._steps)
        return self._resampled(
            channel, steps, -self._offsets * steps, self._upright.array.shape, ORDERS["linear"]
        )

    def _laid(self, array: np.ndarray) -> Volume:
        """An array along the axes of the network, in the voxels of the source, as one of those."""
        laid = self._upright.with_array(array).match_geometry(self.source).array
        return self.source.with_array(laid)

    @staticmethod
    def _resampled(
        array: np.ndarray, steps: Iterable[float], offsets: np.ndarray, shape: object, order: int
    ) -> np.ndarray:
        return np.asarray(
            affine_transform(array, list(steps), offsets, shape, order=order, mode="nearest")
        )
