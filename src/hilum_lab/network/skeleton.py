"""The bones of `phantom`, and the sizes that differ between people."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hilum_lab.network.projector import EllipseStack, Ellipsoid, Tube, interpolated

SIDES = (-1, 1)  # the patient's right, left

# z, centre y, half width, half depth of the space inside the ribs
CAGE = np.array(
    [
        (150, 24, 58, 26),
        (140, 22, 74, 37),
        (120, 17, 94, 49),
        (95, 12, 109, 62),
        (60, 6, 122, 77),
        (20, 2, 130, 88),
        (-30, 0, 136, 95),
        (-80, 0, 140, 99),
        (-130, 4, 140, 98),
        (-170, 8, 136, 94),
    ],
    float,
)

# Each rib from the first to the twelfth: where it ends on the half turn from spine to breastbone,
# and how far (mm) it would fall on the whole of it.
RIB_ENDS = (0.80, 0.86, 0.86, 0.85, 0.84, 0.82, 0.80, 0.76, 0.72, 0.66, 0.50, 0.36)
RIB_DROPS = (42, 60, 76, 90, 100, 108, 112, 114, 112, 104, 80, 56)

# Left side; points are (x, y, z).
CLAVICLE = np.array([(20, -52, 112), (62, -56, 121), (112, -34, 132), (160, 2, 141)], float)
SHOULDER_BLADE = np.array(
    [
        (150, 40, 128),
        (128, 66, 134),
        (104, 84, 120),
        (110, 90, 60),
        (124, 88, 6),
        (136, 80, 26),
        (150, 52, 88),
    ],
    float,
)
BLADE_SPINE = np.array([(108, 92, 104), (138, 84, 122), (166, 50, 138), (182, 24, 138)], float)
CORACOID = np.array([(148, 34, 124), (146, 8, 128), (154, -6, 118)], float)
HUMERAL_HEAD = (176.0, 20.0, 112.0)
HUMERAL_NECK = np.array([(179, 18, 104), (184, 18, 72)], float)
HUMERUS = np.array([(183, 18, 84), (200, 16, -40), (216, 10, -216)], float)

VERTEBRAE = range(-3, 16)  # 1 is the first thoracic one
DISC = 0.2  # of the distance between two vertebrae, half a disc's height

Shell = tuple[Ellipsoid, Ellipsoid]  # a bone and the marrow in it


@dataclass(frozen=True)
class Rod:
    """A long bone: its line (n, 3), radius across and along z, thickness of its wall, in mm."""

    points: np.ndarray
    radius: float
    height: float
    wall: float

    def tubes(self) -> tuple[Tube, Tube]:
        """The bone and the marrow in it."""
        outer = Tube(self.points, self.radius, self.height)
        return outer, Tube(self.points, self.radius - self.wall, self.height - self.wall)


class Sizes:
    """What differs between people, drawn from `rng`; 1 is the mean, lengths are mm."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.wide, self.tall = rng.normal(1, 0.025), rng.normal(1, 0.02)
        self.fat = abs(rng.normal(8, 4))
        self.heart = rng.normal(1, 0.05)
        self.domes = tuple(rng.normal(0, 4, 2))
        self.curve = rng.normal(0, 3)  # of the spine to the left
        self.spines = rng.normal(0, 0.8, len(VERTEBRAE))  # spinous processes to the left
        self._cage = CAGE * (self.tall, 1, self.wide, 1)

    def cage(self, z: np.ndarray) -> np.ndarray:
        """Centre y, half width, half depth at heights `z`: (3, n)."""
        ends = self._cage[-1, 0], self._cage[0, 0]
        return interpolated(self._cage, z.clip(*ends)).T

    def level(self, number: float) -> float:
        """Height of the middle of a vertebra."""
        return float((146 - 23 * number) * self.tall - 0.22 * number**2)

    def middle(self, z: float) -> tuple[float, float]:
        """Where the vertebral bodies lie: x, y."""
        return float(self.curve * np.sin(z / 80)), float(46 + 14 * np.cos((z - 10) / 110))


def spine(sizes: Sizes) -> EllipseStack:
    """The vertebral bodies as one column with waists."""
    rows = []
    for number in range(VERTEBRAE.start, VERTEBRAE.stop + 1):
        half = 12.5 + 0.5 * max(number, 0)
        pitch = sizes.level(number) - sizes.level(number + 1)
        for share, waist in ((-0.4, 1.0), (0, 0.86), (0.4, 1.0)):
            z = sizes.level(number) - share * pitch
            rows.append((z, *sizes.middle(z), half * waist, 0.8 * half * waist))
    return EllipseStack(rows)


def discs(sizes: Sizes) -> Iterator[Ellipsoid]:
    """The gaps between the vertebral bodies."""
    for number in VERTEBRAE:
        upper, lower = sizes.level(number), sizes.level(number + 1)
        z = (upper + lower) / 2
        yield Ellipsoid((*sizes.middle(z), z), (16, 14, (upper - lower) * DISC))


def shells(sizes: Sizes, arms: bool) -> Iterator[Shell]:
    """Pedicles, spinous processes, heads of the humeri."""
    for number, aside in zip(VERTEBRAE, sizes.spines, strict=True):
        z = sizes.level(number)
        x, y = sizes.middle(z)
        for side in SIDES:
            centre = (x + side * 11.5, y + 14, z + 3)
            yield Ellipsoid(centre, (4.2, 4, 6)), Ellipsoid(centre, (3.2, 3.6, 5))
        centre = (x + aside, y + 34, z - 8)
        yield Ellipsoid(centre, (3.2, 5, 8)), Ellipsoid(centre, (2.5, 5, 7))
    x, y, z = HUMERAL_HEAD
    for side in SIDES if arms else ():
        centre, tilt = (side * x, y, z), side * 30.0
        yield Ellipsoid(centre, (22, 23, 27), tilt), Ellipsoid(centre, (21.4, 22.4, 26.4), tilt)


def rods(sizes: Sizes, arms: bool) -> Iterator[Rod]:
    """Ribs, clavicles and, with `arms`, the edges of the shoulder blades and the humeri."""
    for side in SIDES:
        flip = np.array((side, 1, 1))
        for number in range(1, 13):
            yield Rod(_rib(sizes, number, side), 3.0, 5.6 if number < 11 else 4.4, 0.8)
        bent = np.column_stack([(0, 0.3, 0.65, 1), CLAVICLE])
        yield Rod(interpolated(bent, np.linspace(0, 1, 30)) * flip, 5.6, 5.6, 1.5)
        if arms:
            yield Rod(SHOULDER_BLADE[3:] * flip, 3.4, 3.4, 0.9)
            yield Rod(SHOULDER_BLADE[1:4] * flip, 1.6, 1.6, 0.7)
            yield Rod(BLADE_SPINE * flip, 4.2, 4.6, 1.0)
            yield Rod(CORACOID * flip, 4.6, 4.6, 1.0)
            yield Rod(HUMERAL_NECK * flip, 15, 15, 1.0)
            yield Rod(HUMERUS * flip, 11, 11, 4.0)


def plates(arms: bool) -> Iterator[np.ndarray]:
    """The shoulder blades: corners (n, 3)."""
    for side in SIDES if arms else ():
        yield SHOULDER_BLADE * (side, 1, 1)


def _rib(sizes: Sizes, number: int, side: int) -> np.ndarray:
    """Up from its vertebra, then round the cage and down, steeper towards the front."""
    part = np.linspace(0, RIB_ENDS[number - 1], 60)
    start = sizes.level(number) + 7
    rise = 5 * np.sin(np.pi * (part / 0.22).clip(0, 1))
    z = start + rise - RIB_DROPS[number - 1] * (0.34 * part + 0.85 * part**2.6)
    y, width, depth = sizes.cage(z)
    x = side * ((width + 2) * np.sin(np.pi * part) ** 0.9 + 15 * (1 - part) ** 6)
    x += sizes.middle(start)[0] * (1 - part)
    return np.stack([x, y + (depth + 2) * np.cos(np.pi * part), z], axis=1)
