"""One Series Instance UID that holds several volumes, or things that are none."""

from collections.abc import Callable
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import GrayscaleSoftcopyPresentationStateStorage, SecondaryCaptureImageStorage

from hilum_lab.odd_input.case import CaseGroup, Expected, received, refused
from hilum_lab.odd_input.classic import CaseFiles, Maker, put_pixels
from hilum_lab.odd_input.phantom import CORONAL, SAGITTAL, PhantomPlane, planes

GROUP = CaseGroup("Several volumes in one series, and what is none")
ASIDE, SCOUT = r"1 screenshot set aside", r"1 localizer set aside"
OFFSET = 100.0  # between what was scanned in one place


def several(*attributes: dict[str, Any]) -> Callable[[Maker], CaseFiles]:
    """The same planes with each of these attributes, slice by slice."""

    def make(maker: Maker) -> CaseFiles:
        exam = CaseFiles(maker.modality)
        for place in range(12):
            for number, values in enumerate(attributes):
                plane = planes(offset=OFFSET * number)[place]
                exam.add(maker.image(plane, len(exam.files) + 1, **values), plane)
        return exam

    return make


def of_both(
    one: list[PhantomPlane], other: list[PhantomPlane], **attributes_of_other: Any
) -> Callable[[Maker], CaseFiles]:
    """Two stacks in one series."""

    def make(maker: Maker) -> CaseFiles:
        exam = CaseFiles(maker.modality)
        for plane in one:
            exam.add(maker.image(plane, len(exam.files) + 1), plane)
        for plane in other:
            exam.add(maker.image(plane, len(exam.files) + 1, **attributes_of_other), plane)
        return exam

    return make


def beside(make_other: Callable[[Maker], Dataset]) -> Callable[[Maker], CaseFiles]:
    """A regular series that holds one more object, which is no slice."""

    def make(maker: Maker) -> CaseFiles:
        exam = maker.exam()
        exam.add(make_other(maker))
        return exam

    return make


def one_of(label: str, *labels: str) -> Expected:
    """One of several candidates is received, and each is named."""
    return received(12, label, *labels, readable=False)


GROUP.add(
    "two frames of reference",
    of_both(planes(), planes(offset=OFFSET), FrameOfReferenceUID="2.25.77"),
    one_of(r"(?i)frame of reference 1 of 2", r"(?i)frame of reference 2 of 2"),
)
GROUP.add(
    "two frames of reference that would fit one stack",
    of_both(planes(12), planes(8, origin=(-10.0, -12.0, 20.0)), FrameOfReferenceUID="2.25.77"),
    one_of(r"(?i)frame of reference"),
)
GROUP.add(
    "localizer in three planes",
    of_both([*planes(1), *planes(1, orientation=CORONAL), *planes(1, orientation=SAGITTAL)], []),
    refused(r"single slice|localizer|orientation"),
)
GROUP.add(
    "localizer in three planes, said to be one",
    of_both(
        [],
        [*planes(1), *planes(1, orientation=CORONAL), *planes(1, orientation=SAGITTAL)],
        ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"],
    ),
    refused(r"(?i)localizer"),
)
GROUP.add(
    "twelve axial and eight sagittal slices",
    of_both(planes(), planes(8, orientation=SAGITTAL)),
    one_of(r"(?i)orientation"),
)
GROUP.add(
    "one sagittal image among axial ones",
    of_both(planes(), planes(1, orientation=SAGITTAL)),
    one_of(r"(?i)orientation|single slice"),
)
GROUP.add(
    "two pixel spacings",
    of_both(planes(6), planes(6, origin=(-10.0, -12.0, 14.0), spacing=(0.5, 0.5))),
    refused(r"(?i)pixel spacing"),
    received(6, r"(?i)pixel spacing", readable=False),
)
GROUP.add(
    "two sizes",
    of_both(planes(6), planes(6, origin=(-10.0, -12.0, 14.0), size=(16, 16))),
    refused(r"(?i)\bsize"),
    received(6, r"(?i)\bsize", readable=False),
)
GROUP.add(
    "two echoes",
    several({"EchoTime": 20}, {"EchoTime": 80}),
    one_of(r"echo 1 of 2: 20 ms", r"echo 2 of 2: 80 ms"),
)
GROUP.add(
    "b-values 0 and 1000",
    several(
        {"DiffusionBValue": 0.0},
        {"DiffusionBValue": 1000.0, "DiffusionGradientOrientation": [0.0, 0.0, 1.0]},
    ),
    one_of(r"b[- ]?value", r"\b1000\b"),
)
GROUP.add(
    "three directions of diffusion",
    several(
        *(
            {"DiffusionBValue": 1000.0, "DiffusionGradientOrientation": direction}
            for direction in ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
        )
    ),
    one_of(r"direction.*1 of 3", r"direction.*3 of 3"),
)
GROUP.add(
    "three temporal positions",
    several(*({"TemporalPositionIdentifier": number} for number in (1, 2, 3))),
    one_of(r"time 1 of 3", r"time 3 of 3"),
)
GROUP.add(
    "two acquisitions in one place",
    several({"AcquisitionNumber": 1}, {"AcquisitionNumber": 2}),
    one_of(r"acquisition.*1 of 2", r"acquisition.*2 of 2"),
)
GROUP.add(
    "magnitude and phase",
    several(
        {"ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"]},
        {"ImageType": ["ORIGINAL", "PRIMARY", "P", "ND"]},
    ),
    one_of(r"(?i)image type|\bP\b|phase"),
)


@GROUP.case(
    "two acquisitions, 0.005 mm apart",
    received(12, r"acquisition.*1 of 2", r"acquisition.*2 of 2", readable=False),
)
def _(maker: Maker) -> CaseFiles:
    x, y, z = -10.0, -12.0, 8.005
    moved = planes(offset=OFFSET, origin=(x, y, z))
    exam = CaseFiles(maker.modality)
    for number, scanned in enumerate((planes(), moved), start=1):
        for plane in scanned:
            image = maker.image(plane, len(exam.files) + 1, AcquisitionNumber=number)
            exam.add(image, plane)
    return exam


@GROUP.case(
    "step-and-shoot CT, AcquisitionNumber of each slice",
    received(12, r"12 acquisitions"),
    modality="CT",
)
def _(maker: Maker) -> CaseFiles:
    exam = maker.exam()
    for number, dataset in enumerate(exam.datasets, start=1):
        dataset.AcquisitionNumber = number
    return exam


@GROUP.case("dose report beside the slices", received(12, ASIDE, readable=False), modality="CT")
@GROUP.case("screenshot beside the slices", received(12, ASIDE, readable=False))
def _(maker: Maker) -> CaseFiles:
    exam = maker.exam()
    screenshot = maker.header(SecondaryCaptureImageStorage, 99)
    screenshot.ImageType = ["DERIVED", "SECONDARY"]
    del screenshot.FrameOfReferenceUID
    put_pixels(screenshot, np.full((64, 64), 7), bits=8)
    exam.add(screenshot)
    return exam


@GROUP.case("localizer beside the slices", received(12, SCOUT, readable=False), modality="CT")
def _(maker: Maker) -> CaseFiles:
    exam = maker.exam()
    (plane,) = planes(1, orientation=CORONAL, size=(40, 40))
    exam.add(maker.image(plane, 13, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    return exam


@GROUP.case(
    "localizer in the plane of the slices", received(12, SCOUT, readable=False), modality="CT"
)
def _(maker: Maker) -> CaseFiles:
    exam = maker.exam()
    plane = planes(13)[-1]
    exam.add(maker.image(plane, 13, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]))
    return exam


def _presentation_state(maker: Maker) -> Dataset:
    state = maker.header(GrayscaleSoftcopyPresentationStateStorage, 99)
    state.Modality, state.ContentLabel, state.PresentationCreationDate = "PR", "STATE", "20260101"
    return state


GROUP.add("presentation state among the slices", beside(_presentation_state), received())


@GROUP.case("multi-frame Secondary Capture only", refused(r"(?i)secondary capture|position|none"))
def _(maker: Maker) -> CaseFiles:
    exam = CaseFiles(maker.modality)
    capture = maker.header("1.2.840.10008.5.1.4.1.1.7.3", 1)
    capture.ImageType, capture.NumberOfFrames = ["DERIVED", "SECONDARY"], 12
    put_pixels(capture, np.stack([plane.values() for plane in planes()]))
    exam.add(capture)
    return exam
