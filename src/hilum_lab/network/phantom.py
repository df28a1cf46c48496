"""An adult chest made of simple solids: body, lungs, heart, vessels, bones.

Nobody's anatomy: sizes are about those of textbooks, varied a little by a seed. Coordinates are
those of `projector`, in millimetres: x to the patient's left, y to the back, z upwards, the origin
in the middle of the chest, a hand below the carina.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from hilum_lab.network import skeleton
from hilum_lab.network.projector import EllipseStack, Ellipsoid, Solid, Tube, interpolated
from hilum_lab.network.skeleton import SIDES, Shell, Sizes

LEAVES = 420  # ends of each of the two vessel trees of a lung
THINNEST, THICKEST, CALIBRES = 0.6, 7.0, 9  # mm; vessels come in so many radii
STRAIGHT = 0.7  # what a long way to the heart weighs against a long new branch

# z, medial edge, lateral gap to the cage, depth as a share of the cage's
LUNG = np.array(
    [
        (147.5, 42, 17, 0.05),
        (146, 33, 13, 0.35),
        (141, 26, 8, 0.65),
        (128, 20, 3.5, 0.85),
        (110, 16, 2, 0.92),
        (90, 12, 1, 0.94),
        (40, 6, 1, 0.94),
        (-60, 4, 1, 0.93),
        (-120, 6, 1, 0.85),
        (-146, 20, 8, 0.5),
    ],
    float,
)
TORSO = [  # z, x, y, half width, half depth
    (216, 0, 22, 62, 58),
    (196, 0, 22, 63, 59),
    (182, 0, 21, 70, 60),
    (168, 0, 20, 90, 63),
    (154, 0, 18, 122, 68),
    (138, 0, 14, 154, 76),
    (112, 0, 8, 178, 92),
    (80, 0, 2, 176, 106),
    (40, 0, 0, 166, 112),
    (0, 0, 0, 161, 116),
    (-70, 0, 0, 158, 118),
    (-140, 0, 0, 154, 114),
    (-216, 0, 0, 150, 110),
]


@dataclass(frozen=True)
class Phantom:
    """What the beam goes through; bones, vessels and gas take the place of other tissue."""

    body: Sequence[Solid]
    lungs: Sequence[EllipseStack]
    solids: Sequence[Solid]  # in the lungs' place: heart, great vessels, spine, diaphragm
    vessels: Sequence[Tube]
    airways: Sequence[Tube]
    gas: Sequence[Solid]
    cortex: Sequence[Tube]  # long bones, solid ...
    marrow: Sequence[Tube]  # ... and what is less dense in them
    spine: EllipseStack
    discs: Sequence[Ellipsoid]  # gaps in the spine
    shells: Sequence[Shell]
    plates: Sequence[np.ndarray]  # thin bones: corners (n, 3)


def phantom(seed: int = 0, *, arms: bool = True) -> Phantom:
    """The chest of `seed`; without `arms` they are raised, as for a lateral film."""
    rng = np.random.default_rng(seed)
    sizes = Sizes(rng)
    lungs, spine = _lungs(sizes), skeleton.spine(sizes)
    cortex, marrow = zip(*(rod.tubes() for rod in skeleton.rods(sizes, arms)), strict=True)
    return Phantom(
        body=[*_body(sizes, arms)],
        lungs=lungs,
        solids=[*_mediastinum(sizes), *_domes(sizes), spine],
        vessels=[*_vessels(lungs, rng)],
        airways=[*_airways()],
        gas=[*_gas(sizes, rng)],
        cortex=cortex,
        marrow=marrow,
        spine=spine,
        discs=[*skeleton.discs(sizes)],
        shells=[*skeleton.shells(sizes, arms)],
        plates=[*skeleton.plates(arms)],
    )


def _body(sizes: Sizes, arms: bool) -> Iterator[Solid]:
    fat = np.array([0, 0, 0, sizes.fat, sizes.fat])
    yield EllipseStack([tuple(np.array(row) + fat) for row in TORSO])
    for side in SIDES:
        yield Ellipsoid((side * 82, -90, -42), (66, 22 + sizes.fat, 64))  # breast and pectoral
        if arms:
            yield Ellipsoid((side * 172, 18, 108), (42, 48, 48))
            yield EllipseStack(
                [
                    (150, side * 178, 18, 4, 4),
                    (140, side * 180, 18, 24, 30),
                    (118, side * 188, 18, 35, 44),
                    (60, side * 206, 18, 38, 46),
                    (-60, side * 226, 14, 36, 42),
                    (-216, side * 240, 4, 32, 38),
                ]
            )


def _lungs(sizes: Sizes) -> list[EllipseStack]:
    rows: list[list[tuple[float, float, float, float, float]]] = [[], []]
    for z, medial, gap, share in LUNG * (sizes.tall, 1, 1, 1):
        y, width, depth = (float(v) for v in sizes.cage(np.array([z]))[:, 0])
        lateral = width - gap
        half = (lateral - medial) / 2
        for side, stack in zip(SIDES, rows, strict=True):
            stack.append((z, side * (lateral + medial) / 2, y, half, depth * share))
    return [EllipseStack(stack) for stack in rows]


def _mediastinum(sizes: Sizes) -> Iterator[Solid]:
    big = sizes.heart
    yield EllipseStack(
        [
            (216, 0, 22, 56, 50),
            (150, 0, 20, 42, 50),
            (138, 0, 18, 35, 52),
            (122, 0, 14, 31, 55),
            (100, 0, 12, 29, 60),
            (70, 2, 12, 29, 62),
            (30, 1, 12, 28, 64),
            (-5, 0, 22, 21, 56),
            (-50, 0, 34, 17, 46),
            (-170, 2, 32, 22, 56),
        ]
    )
    yield Ellipsoid((24, -22, -46), (68 * big, 50 * big, 62 * big), tilt=36)  # ventricles
    yield Ellipsoid((-14, -12, -40), (29 * big, 56, 50 * big), tilt=-6)  # right atrium
    yield Ellipsoid((-17, -10, 30), (15, 19, 56), tilt=-4)  # ascending aorta, superior cava
    yield Ellipsoid((20, 14, 66), (21, 40, 18))  # arch
    yield EllipseStack([(70, 22, 46, 14, 14), (20, 21, 50, 13, 13), (-170, 9, 46, 12, 12)])
    yield Ellipsoid((25, -16, 26), (19, 24, 24), tilt=20)  # pulmonary trunk
    yield Ellipsoid((34, 2, 8), (13, 18, 16))
    yield Ellipsoid((-30, 2, 8), (13, 17, 19))


def _domes(sizes: Sizes) -> Iterator[Solid]:
    """The diaphragm with liver and spleen below it."""
    for side, top, shift in zip(SIDES, (-76, -90), sizes.domes, strict=True):
        z = (top + shift) * sizes.tall
        yield Ellipsoid(
            (side * 64 * sizes.wide, -8, z - 70), (82 * sizes.wide, 112, 70), cylinder=True
        )
    yield Ellipsoid((10, -30, -158), (90, 66, 66), cylinder=True)


def _gas(sizes: Sizes, rng: np.random.Generator) -> Iterator[Solid]:
    """The stomach's bubble, flat below as the person stands, and a little in the colon."""
    z, x = (-90 + sizes.domes[1]) * sizes.tall, 50 + rng.normal(0, 6)
    rows = [
        (-38, 26, 24),
        (-34, 29, 26),
        (-26, 30, 27),
        (-16, 25, 22),
        (-9, 12, 10),
        (-8, 1, 1),
    ]
    yield EllipseStack([(z + up, x, -20, width, depth) for up, width, depth in rows])
    for x, drop in ((96, 70), (84, 92), (-92, 108)):
        for _ in range(4):  # haustra of the colon
            dx, dz = rng.normal(0, 8, 2)
            size = rng.uniform(5, 9)
            yield Ellipsoid((x + dx, -40 + 2 * dz, z - drop + dz), (size, size, size * 0.8))


def _airways() -> Iterator[Tube]:
    """Trachea and main bronchi."""
    carina = np.array([-3.0, 10, 44])
    yield Tube(np.array([(0.0, -4, 216), (0, 2, 150), (-2, 6, 100), carina]), 8.2)
    yield Tube(np.array([carina, (-18, 14, 28), (-32, 18, 6), (-38, 22, -20)]), 5.6)
    yield Tube(np.array([carina, (20, 14, 30), (36, 20, 16), (44, 24, -4)]), 5.0)
    yield Tube(np.array([(-20, 14, 26), (-36, 14, 30.0)]), 4.0)


def _vessels(lungs: Sequence[EllipseStack], rng: np.random.Generator) -> Iterator[Tube]:
    """Two trees in each lung, as arteries and veins, from the hilum."""
    for side, lung in zip(SIDES, lungs, strict=True):
        for height, back in ((10, 8.0), (0, -2.0)):
            root = np.array([side * 30.0, back, height + (6 if side > 0 else 0)])
            yield from _tree(root, _inside(lung, rng), rng)


def _inside(lung: EllipseStack, rng: np.random.Generator) -> np.ndarray:
    """`LEAVES` random points in a lung (or a few less), (n, 3)."""
    table = np.array(sorted(lung.points))
    z = rng.uniform(-110, table[-1, 0], 3 * LEAVES)
    x, y, width, depth = interpolated(table, z).T
    u, v = rng.uniform(-0.97, 0.97, (2, len(z)))
    keep = u**2 + v**2 < 0.94
    points = np.stack([x + u * width, y + v * depth, z], axis=1)[keep]
    return np.asarray(points[:LEAVES])


def _tree(root: np.ndarray, leaves: np.ndarray, rng: np.random.Generator) -> Iterator[Tube]:
    """Vessels from `root` to all leaves, thick where they supply many.

    Short wiring weighed against short ways (Cuntz et al. 2010); radii by Murray's law.
    """
    leaves = leaves[np.argsort(np.linalg.norm(leaves - root, axis=1))]
    nodes = np.vstack([root, leaves])
    parent, way = np.zeros(len(nodes), int), np.zeros(len(nodes))
    for index in range(1, len(nodes)):
        gap = np.linalg.norm(nodes[:index] - nodes[index], axis=1)
        parent[index] = np.argmin(gap + STRAIGHT * way[:index])
        way[index] = way[parent[index]] + gap[parent[index]]
    supplied = np.ones(len(nodes))
    for index in range(len(nodes) - 1, 0, -1):
        supplied[parent[index]] += supplied[index]
    radius = (1.1 * THINNEST * supplied ** (1 / 2.4)).clip(THINNEST, THICKEST)
    steps = np.geomspace(THINNEST, THICKEST, CALIBRES)
    for index in range(1, len(nodes)):
        nearest = steps[np.argmin(np.abs(np.log(steps / radius[index])))]
        ends = nodes[[parent[index], index]]
        bend = ends.mean(axis=0) + rng.normal(0, 0.06, 3) * np.linalg.norm(ends[1] - ends[0])
        yield Tube(np.array([ends[0], bend, ends[1]]), float(nearest))
