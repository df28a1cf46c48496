"""Where slices are: orientation, order, spacing, tilt, gaps."""

import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np

from hilum.offline.report import ReportState
from hilum_lab.odd_input.case import CaseGroup, received, refused
from hilum_lab.odd_input.classic import CaseFiles, Maker
from hilum_lab.odd_input.phantom import (
    CORONAL,
    ORIGIN,
    SAGITTAL,
    PhantomPlane,
    at,
    planes,
    turned,
)

GROUP = CaseGroup("Where the slices are")
Make = Callable[[Maker], CaseFiles]

DUPLICATE = r"duplicate|where another one lies"
TILTED = 40  # slices, enough for a degree to shift the last one by 0.7 mm


def of(scanned: list[PhantomPlane], **attributes: Any) -> Make:
    return lambda maker: maker.exam(scanned, **attributes)


def without(*missing: int) -> Make:
    """A regular series of which some images did not come."""

    def make(maker: Maker) -> CaseFiles:
        exam = CaseFiles(maker.modality)
        for number, plane in enumerate(planes(), start=1):
            if number not in missing:
                exam.add(maker.image(plane, number), plane)
        return exam

    return make


GROUP.add("axial", of(planes()), received())
GROUP.add("coronal", of(planes(orientation=CORONAL)), received())
GROUP.add("sagittal", of(planes(orientation=SAGITTAL)), received())
GROUP.add("oblique, 20 degrees", of(planes(orientation=turned(20, 0))), received())
GROUP.add(
    "double oblique, 20 and 35 degrees",
    of(planes(orientation=turned(35, 1, turned(20, 0)))),
    received(),
)
GROUP.add("pixels of 0.8 x 1.2 mm", of(planes(spacing=(0.8, 1.2), step=2.5)), received())
GROUP.add("files in reverse order", of(planes()[::-1]), received())


@GROUP.case("files named at random", received())
def _(maker: Maker) -> CaseFiles:
    exam = maker.exam()
    names = {name: hashlib.sha256(name.encode()).hexdigest()[:8] for name in exam.files}
    exam.files = {names[name]: file for name, file in exam.files.items()}
    return exam


@GROUP.case("InstanceNumber in another order than the positions", received())
def _(maker: Maker) -> CaseFiles:
    exam = maker.exam()
    for place, dataset in enumerate(exam.datasets):
        dataset.InstanceNumber = 7 * place % 12 + 1
    return exam


GROUP.add("InstanceNumber missing", of(planes(), InstanceNumber=None), received())
GROUP.add("InstanceNumber 1 in every slice", of(planes(), InstanceNumber=1), received())
GROUP.add("gantry tilt of 0.2 degrees, 40 slices", of(planes(TILTED, tilt=0.2)), received(TILTED))
GROUP.add(
    "gantry tilt of 0.2 degrees, 320 slices",
    of(planes(320, tilt=0.2, size=(8, 8))),
    refused(r"gantry tilt of 0\.2"),
)
for degrees in (1.0, 2.5, 15.0):
    GROUP.add(
        f"gantry tilt of {degrees:g} degrees",
        of(planes(TILTED, tilt=degrees)),
        refused(rf"gantry tilt of {degrees:g}"),
    )
GROUP.add(
    "CT with a gantry tilt of 1 degree",
    of(planes(TILTED, tilt=1)),
    refused(r"gantry tilt of 1\b"),
    modality="CT",
)


@GROUP.case("spacing of 0.625 mm, positions rounded to 0.01 mm", received(320))
def _(maker: Maker) -> CaseFiles:
    x, y, z = ORIGIN
    places = [round(0.625 * number, 2) for number in range(320)]
    scanned = [PhantomPlane((x, y, z + place), size=(8, 8)) for place in places]
    return maker.exam(scanned, SliceThickness=0.63)


@GROUP.case("positions that jitter by 0.02 mm", received())
def _(maker: Maker) -> CaseFiles:
    jitter = np.random.default_rng(1).uniform(-0.02, 0.02, (12, 3))
    places = np.array(ORIGIN) + np.arange(12)[:, None] * np.array([0, 0, 1]) + jitter
    return maker.exam([PhantomPlane(tuple(place.tolist())) for place in places])


GROUP.add(
    "spacing that drifts from 1.0 to 1.16 mm",
    of(at([n + 0.002 * n**2 for n in range(TILTED)])),
    refused(r"uneven|not evenly spaced"),
)
GROUP.add(
    "one slice missing",
    without(6),
    refused(r"\b1 slice missing", state=ReportState.HELD),
)
GROUP.add(
    "four slices missing in two places",
    without(4, 5, 9, 10),
    refused(r"\b4 slices missing", state=ReportState.HELD),
)
GROUP.add(
    "one gap, and no image number missing",
    of(at([n for n in range(12) if n != 5])),
    refused(r"uneven|missing"),
)
GROUP.add(
    "slices 3 mm apart, then 6 mm",
    of(at([*range(0, 24, 3), *range(24, 49, 6)])),
    refused(r"uneven|not evenly spaced", r"\b3\b.*\b6\b mm"),
)
GROUP.add(
    "every position twice",
    of([*planes(), *planes(offset=100)]),
    refused(DUPLICATE),
)
GROUP.add(
    "every position twice, 0.005 mm apart",
    of([*planes(), *at([n + 0.005 for n in range(12)], offset=100)]),
    refused(DUPLICATE),
)
GROUP.add("one slice only", of(planes(1)), refused(r"single slice"))
GROUP.add(
    "no Image Position", of(planes(), ImagePositionPatient=None), refused(r"position|orientation")
)
GROUP.add(
    "direction cosines that are not perpendicular",
    of(planes(), ImageOrientationPatient=[1, 0, 0, 0.3, 0.954, 0]),
    refused(r"direction cosines|perpendicular"),
)
GROUP.add("no Pixel Spacing", of(planes(), PixelSpacing=None), refused(r"pixel spacing"))
GROUP.add(
    "no Frame of Reference UID", of(planes(), FrameOfReferenceUID=None), received(readable=True)
)


@GROUP.case('SliceThickness "1,0"', received())
def _(maker: Maker) -> CaseFiles:
    exam = maker.exam()
    for dataset in exam.datasets:
        dataset["SliceThickness"]._value = "1,0"
    return exam


GROUP.add("SliceThickness missing", of(planes(), SliceThickness=None), received())
GROUP.add(
    "SpacingBetweenSlices that is wrong", of(planes(), SpacingBetweenSlices="7.5"), received()
)
GROUP.add(
    "Type 2 attributes missing",
    of(
        planes(),
        PatientBirthDate=None,
        PatientSex=None,
        AccessionNumber=None,
        StudyID=None,
        ReferringPhysicianName=None,
        SeriesNumber=None,
    ),
    received(),
)
