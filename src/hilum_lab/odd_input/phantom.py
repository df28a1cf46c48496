"""The phantom: a value for every position in the patient, and the planes it was scanned in."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

BASE = 2000.0
GRADIENT = np.array([4.0, 6.0, 10.0])  # per mm of x, y, z (LPS); no two directions are alike
ORIGIN = (-10.0, -12.0, 8.0)  # mm, of the first voxel where nothing else is said

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
CORONAL = (1.0, 0.0, 0.0, 0.0, 0.0, -1.0)
SAGITTAL = (0.0, 1.0, 0.0, 0.0, 0.0, -1.0)


def field(positions: np.ndarray) -> np.ndarray:
    """The phantom's value at `positions` (..., 3), in mm (LPS)."""
    return np.asarray(BASE + positions @ GRADIENT)


def turned(degrees: float, axis: int, orientation: tuple[float, ...] = AXIAL) -> tuple[float, ...]:
    """`orientation` turned about the patient's x, y or z axis (0, 1, 2)."""
    angle = np.deg2rad(degrees)
    turn = np.eye(3)
    one, two = (other for other in range(3) if other != axis)
    turn[one, one] = turn[two, two] = np.cos(angle)
    turn[one, two], turn[two, one] = -np.sin(angle), np.sin(angle)
    return tuple((np.reshape(orientation, (2, 3)) @ turn.T).ravel().tolist())


@dataclass(frozen=True)
class PhantomPlane:
    """One scanned plane: what Image Position and Orientation, Pixel Spacing and size say (LPS, mm).

    `offset` is added to the phantom's value: it tells apart what was scanned twice in one place.
    """

    position: tuple[float, ...]
    orientation: tuple[float, ...] = AXIAL
    spacing: tuple[float, float] = (1.0, 1.0)
    size: tuple[int, int] = (20, 16)
    offset: float = 0.0

    @property
    def normal(self) -> np.ndarray:
        return np.cross(self.orientation[:3], self.orientation[3:])

    def positions(self) -> np.ndarray:
        """Where each voxel is: (rows, columns, 3)."""
        rows, columns = np.mgrid[: self.size[0], : self.size[1]]
        down = rows[..., None] * self.spacing[0] * np.array(self.orientation[3:])
        along = columns[..., None] * self.spacing[1] * np.array(self.orientation[:3])
        return np.asarray(np.array(self.position) + down + along)

    @cached_property
    def corners(self) -> np.ndarray:
        """Where the first and last voxels of its first and last rows are: (4, 3)."""
        return self.positions()[[0, 0, -1, -1], [0, -1, 0, -1]]

    def values(self) -> np.ndarray:
        """What the scanner measured: float64 (rows, columns)."""
        return field(self.positions()) + self.offset


def planes(
    count: int = 12,
    step: float = 1.0,
    orientation: tuple[float, ...] = AXIAL,
    origin: tuple[float, ...] = ORIGIN,
    tilt: float = 0.0,
    spacing: tuple[float, float] = (1.0, 1.0),
    size: tuple[int, int] = (20, 16),
    offset: float = 0.0,
) -> list[PhantomPlane]:
    """`count` planes, `step` mm apart along their normal.

    `tilt`, in degrees, shifts them against each other along the columns, as a gantry does.
    """
    normal = np.cross(orientation[:3], orientation[3:])
    shift = np.tan(np.deg2rad(tilt)) * np.array(orientation[3:])
    places = [np.array(origin) + n * step * (normal + shift) for n in range(count)]
    return [PhantomPlane(tuple(p.tolist()), orientation, spacing, size, offset) for p in places]


def at(distances: list[float], **others: float) -> list[PhantomPlane]:
    """Axial planes at these distances from the first one, in mm."""
    x, y, z = ORIGIN
    return [
        PhantomPlane((x, y, z + distance), offset=others.get("offset", 0.0))
        for distance in distances
    ]
