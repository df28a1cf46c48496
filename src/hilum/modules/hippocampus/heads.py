"""Both hippocampi of a whole head: found, cropped, segmented, laid back onto the head's own grid.

Crops are sampled along the patient's axes, to the right, to anterior, to the head (RAS, mm),
whatever the slices do; so left is left by the header's geometry.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
from highdicom import Volume
from scipy.ndimage import (
    affine_transform,
    gaussian_filter,
    map_coordinates,
)

from hilum.modules.hippocampus.network import Segmentation, divided
from hilum.modules.hippocampus.search import STEP, Location, find_pair

RAS = np.diag([-1.0, -1.0, 1.0, 1.0])  # to DICOM's LPS and back
SMOOTHING = 1.0  # mm, before a head is sampled at STEP
CROP = (36, 52, 36)  # mm: like a training crop
FROM_CENTROID = (2.4, -1.3, 2.4)  # mm from the hippocampus to the middle of a training crop
LOOKS = 3  # at most, until the crop lies around the mask as a training crop does
NEAR = 1.0  # mm
SPLINE_REACH = 8  # voxels beyond which a cubic spline forgets


class Head:
    """A volume of a head, sampled along the patient's axes wherever it is asked for."""

    def __init__(self, volume: Volume) -> None:
        self.volume = volume
        self._voxels = volume.array.astype(np.float32)
        self._to_patient = RAS @ volume.affine
        self._to_index = np.linalg.inv(self._to_patient)

    def find(self, template: np.ndarray) -> tuple[Location, Location] | None:
        """Find the left and the right one; None where nothing could be a pair of hippocampi."""
        return find_pair(*self._overview(), template)

    def crop(self, place: Location) -> Volume:
        """1 mm around `place`, cubic; mirrored for a right hippocampus, so that it looks left."""
        affine = np.eye(4)
        affine[:3, 3] = _first(place)
        voxels = self._cubic(affine[:3, 3])
        voxels = voxels[::-1] if place.mirrored else voxels
        return Volume(voxels, affine=RAS @ affine, coordinate_system="PATIENT")

    def inside(self, place: Location) -> float:
        """Share of the crop around `place` that lies inside the image."""
        axes = [np.linspace(0, n - 1, 9) for n in CROP]
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), -1) + _first(place)
        where = _through(self._to_index, grid)
        return float(((where >= 0) & (where <= np.array(self._voxels.shape) - 1)).all(-1).mean())

    def labels(self, place: Location, segmentation: Segmentation) -> Volume:
        """0 background, 1 anterior, 2 posterior on the grid of the head.

        `segmentation` is that of `crop(place)`.
        """
        probabilities = segmentation.probabilities
        if place.mirrored:
            probabilities = probabilities[:, ::-1]
        first, size = _first(place), np.array(CROP)
        corners = np.array(list(product(*[(0, n - 1) for n in CROP]))) + first
        indices = _through(self._to_index, corners)
        low = np.maximum(np.ceil(indices.min(0)), 0).astype(int)
        high = np.minimum(np.floor(indices.max(0)) + 1, self._voxels.shape).astype(int)
        part = tuple(slice(a, max(a, b)) for a, b in zip(low, high, strict=True))
        grid = np.stack(np.meshgrid(*[np.arange(s.start, s.stop) for s in part], indexing="ij"), -1)
        where = np.moveaxis(_through(self._to_patient, grid) - first, -1, 0)
        outside = ((where < 0) | (where > (size - 1)[:, None, None, None])).any(0)
        # cubic: between voxels a linear one cuts corners, 1-2 % of the volume
        there = [map_coordinates(p, where, order=3, mode="nearest") for p in probabilities]
        labels = np.zeros(self._voxels.shape, np.uint8)
        region = ~outside & (np.argmax(there, axis=0) > 0)
        # a voxel belongs to the slice of the crop that it is nearest to
        labels[part] = divided(region, where[1] >= segmentation.first_anterior - 0.5)
        return self.volume.with_array(labels)

    def _overview(self) -> tuple[np.ndarray, np.ndarray]:
        """The head at `STEP` mm, zero outside, and the RAS place of its first voxel."""
        smoothing = [SMOOTHING / spacing for spacing in self.volume.spacing]
        smooth = gaussian_filter(self._voxels, smoothing, mode="nearest", truncate=3.0)
        corners = np.array(list(product(*[(0, n - 1) for n in smooth.shape])))
        placed = _through(self._to_patient, corners)
        low, high = placed.min(0), placed.max(0)
        shape = tuple((np.ceil((high - low) / STEP) + 1).astype(int).tolist())
        matrix, offset = self._to_index[:3, :3] * STEP, _through(self._to_index, low)
        return affine_transform(smooth, matrix, offset, shape, order=1), low

    def _cubic(self, first: np.ndarray) -> np.ndarray:
        """A grid of `CROP` from `first` on; only the part of the head near it is looked at."""
        grid = np.stack(np.meshgrid(*[np.arange(n) for n in CROP], indexing="ij"), -1) + first
        where = np.moveaxis(_through(self._to_index, grid), -1, 0)
        last = np.array(self._voxels.shape) - 1
        low = np.clip(np.floor(where.min((1, 2, 3))).astype(int) - SPLINE_REACH, 0, last)
        high = np.clip(np.ceil(where.max((1, 2, 3))).astype(int) + SPLINE_REACH, low, last)
        part = self._voxels[tuple(slice(a, b + 1) for a, b in zip(low, high, strict=True))]
        where = where - low[:, None, None, None]
        return np.asarray(map_coordinates(part, where, order=3, mode="nearest"))


@dataclass(frozen=True, eq=False)
class Hippocampus:
    """One hippocampus of a head, segmented in a crop around it."""

    head: Head
    place: Location
    segmentation: Segmentation

    @cached_property
    def labels(self) -> Volume:
        """0 background, 1 anterior, 2 posterior on the grid of the head."""
        return self.head.labels(self.place, self.segmentation)

    def mask(self, labels: Collection[int]) -> Volume:
        """Boolean volume on the grid of the head: where the label is one of `labels`."""
        return self.labels.with_array(np.isin(self.labels.array, list(labels)))


def segmented(
    head: Head, place: Location, segment: Callable[[Volume], Segmentation]
) -> Hippocampus:
    """Segment around `place`, moving the crop until the mask lies where it does in training."""
    segmentation = segment(head.crop(place))
    for _ in range(LOOKS - 1):
        moved = _centred(place, segmentation)
        if np.linalg.norm(moved.centre - place.centre) < NEAR:
            break
        place = moved
        segmentation = segment(head.crop(place))
    return Hippocampus(head, place, segmentation)


def _centred(place: Location, segmentation: Segmentation) -> Location:
    """`place` with the centroid of what was found."""
    found = np.argwhere(segmentation.labels > 0)
    if not len(found):
        return place
    centroid = found.mean(0)
    if place.mirrored:
        centroid[0] = CROP[0] - 1 - centroid[0]
    return replace(place, centre=_first(place) + centroid)


def _first(place: Location) -> np.ndarray:
    """The RAS place of the first voxel of the crop around `place`, before any mirroring."""
    hand = np.array([-1 if place.mirrored else 1, 1, 1])
    return np.asarray(place.centre + FROM_CENTROID * hand - (np.array(CROP) - 1) / 2)


def _through(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Points (..., 3) through a 4x4 matrix."""
    return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3])
