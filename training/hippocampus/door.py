"""Whole series at the module's door: what `hilum run` makes of what is no plain T1 of a head.

The head is the sample exam's (Colin27); its header says 3D, 1 mm, echo time 10 ms, unless told
otherwise, so that mostly the pixels must show what is wrong.
"""

from collections import Counter
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from tempfile import TemporaryDirectory

import nibabel as nib
import numpy as np
from pydicom.uid import CTImageStorage, MRImageStorage

from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.dicom.uids import derived_uid
from hilum.findings import Findings
from hilum.modules.hippocampus import HippocampalVolume
from hilum_lab.network import chest_exam, exam, head
from hilum_lab.network.samples import blank, describe_visit
from odd import MUST_PASS, NOTED, PASSED, REFUSED, read_series
from slices import thickened

NOT_APPLICABLE = "not applicable"
AT_THE_DOOR = (NOT_APPLICABLE, REFUSED, NOTED, PASSED)

MACAQUE = head.TEMPLATES / "inia19-t1-brain.nii.gz"
HUMAN = 2.0  # times as large a macaque's brain is about a human one
SHIFT = 5  # mm
ELSEWHERE = 40  # random boxes of the head
APART = 25  # mm between their middles and those of both hippocampi

Sample = tuple[str, np.ndarray, dict[str, object]]  # kind, voxels (left, back, head), header


def at_the_door(module: HippocampalVolume, studies: Path | None) -> dict[str, Counter[str]]:
    """Outcomes (`AT_THE_DOOR`) by kind of series."""
    outcomes: dict[str, Counter[str]] = {}
    with TemporaryDirectory() as folder:
        for kind, series in _series(Path(folder), studies):
            outcomes.setdefault(kind, Counter())[outcome_of(module, series)] += 1
    return outcomes


def outcome_of(module: HippocampalVolume, series: Series) -> str:
    """One of `AT_THE_DOOR`."""
    if list(module.needs.objections(series)):
        return NOT_APPLICABLE
    findings = Findings(tuple(module.run(series)))
    if findings.refusal:
        return REFUSED
    noted = any(note.caution for note in findings.notes)
    return NOTED if noted else PASSED


def written(voxels: np.ndarray, folder: Path, header: dict[str, object]) -> Series:
    """`voxels` (left, back, head), cubes of 1 mm, as axial MR images with `header`."""
    folder.mkdir(parents=True)
    dataset = blank(MRImageStorage)
    describe_visit(dataset, 1)
    dataset.Modality, dataset.SeriesDescription = "MR", "T1"
    dataset.StudyInstanceUID = derived_uid("door", "study")
    dataset.SeriesInstanceUID = derived_uid("door", str(folder))
    dataset.FrameOfReferenceUID = derived_uid("door", str(folder), "frame")
    dataset.MRAcquisitionType, dataset.EchoTime, dataset.SliceThickness = "3D", "10", "1"
    dataset.PixelSpacing, dataset.ImageOrientationPatient = [1, 1], [1, 0, 0, 0, 1, 0]
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
    dataset.BitsAllocated = dataset.BitsStored = 16
    dataset.HighBit, dataset.PixelRepresentation = 15, 0
    for keyword, value in header.items():
        setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.Columns, dataset.Rows = voxels.shape[:2]
    instances = []
    for index in range(voxels.shape[2]):
        uid = derived_uid("door", str(folder), str(index))
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = uid
        dataset.InstanceNumber = index + 1
        dataset.ImagePositionPatient = [0, 0, index * dataset.PixelSpacing[0]]  # cubes
        pixels = np.clip(voxels[:, :, index].T, 0, 65535).round()
        dataset.PixelData = np.ascontiguousarray(pixels, "<u2").tobytes()
        path = folder / f"{index:03d}.dcm"
        dataset.save_as(path, enforce_file_format=True)
        instances.append(Instance.read(path))
    return Series.of(instances)


def _series(folder: Path, studies: Path | None) -> Iterator[tuple[str, Series]]:
    """Each kind of series, none longer on the disk than it is looked at.

    Where Debian's `mricron-data` is not installed, there is no head to make them of.
    """
    for series in read_series(studies) if studies else ():
        is_crop = "crop" in series.description.lower()
        yield ("crop of a study" + MUST_PASS if is_crop else "other series of a study"), series
    chest_exam.make_chest_exam(folder / "exams" / "chest")
    if head.TEMPLATES.is_dir():
        exam.make_exam(folder / "exams" / "head")
    for series in read_series(folder / "exams"):
        own = series.description in ("T1 MPRAGE sag", "HippoCrop")
        name = f"sample exam: {series.description}"
        yield name + MUST_PASS * own, series
    if not head.TEMPLATES.is_dir():
        return
    t1 = head.t1()
    samples = [_by_header(t1), _by_pixels(t1), _in_part(t1), _crops(t1), _macaque()]
    for number, (kind, voxels, header) in enumerate(each for some in samples for each in some):
        with TemporaryDirectory(dir=folder) as place:
            yield kind, written(voxels, Path(place) / str(number), header)


def _by_header(t1: np.ndarray) -> Iterator[Sample]:
    yield "head, by its header after contrast agent", t1, {"ContrastBolusAgent": "Gadobutrol"}
    yield "head, by its header 2D", t1, {"MRAcquisitionType": "2D"}
    yield "head, by its header with an echo of 98 ms", t1, {"EchoTime": "98"}
    yield "head, by its header with slices of 5 mm", t1, {"SliceThickness": "5"}
    yield "head, by its header a CT", t1, {"Modality": "CT", "SOPClassUID": CTImageStorage}


def _by_pixels(t1: np.ndarray) -> Iterator[Sample]:
    rng = np.random.default_rng(0)
    yield "head of noise", rng.integers(0, head.MAXIMUM, t1.shape), {}
    yield "head of one value", np.full(t1.shape, 300), {}
    yield "inverted head", head.MAXIMUM - t1.astype(int), {}
    t2 = ((0, 950), (150, 900), (420, 430), (620, 290), (1020, 230))
    yield "T2 of a head at 1 mm (simulated), no echo time", head.simulated(t1, t2), {"EchoTime": ""}
    for axes in permutations(range(3)):
        if axes != (0, 1, 2):
            yield "head, axes confused", t1.transpose(axes), {}
    yield "head upside down", t1[:, :, ::-1], {}
    yield "head back to front", t1[:, ::-1], {}
    yield "head mirrored left to right", t1[::-1], {}
    for thickness in (3, 4, 5, 6):
        for axis in range(3):
            kind = f"head, {thickness} mm slices resampled to 1 mm"
            yield kind, thickened(t1, thickness, axis, 1), {}


def _in_part(t1: np.ndarray) -> Iterator[Sample]:
    for axis, length in enumerate(t1.shape):
        for half in (slice(0, length // 2), slice(length // 2, length)):
            place = (slice(None),) * axis + (half,)
            yield "half a head", t1[place], {}
            black = np.zeros_like(t1)
            black[place] = t1[place]
            yield "half a head, the rest black", black, {}


def _crops(t1: np.ndarray) -> Iterator[Sample]:
    """Boxes of the size of the sample exam's crop, cut from its head."""
    corner = np.array([side.start for side in exam.CROP])
    size = np.array([side.stop - side.start for side in exam.CROP])
    for axis in range(3):
        for shift in (-SHIFT, SHIFT):
            moved = corner + np.eye(3, dtype=int)[axis] * shift
            yield f"crop moved by {SHIFT} mm" + MUST_PASS, _box(t1, moved, size), {}
    right = corner.copy()
    right[0] = t1.shape[0] - corner[0] - size[0]
    yield "crop of a right hippocampus, not mirrored", _box(t1, right, size), {}
    rng = np.random.default_rng(0)
    for _ in range(ELSEWHERE):
        other = corner
        while min(np.linalg.norm(other - corner), np.linalg.norm(other - right)) < APART:
            other = rng.integers(0, np.array(t1.shape) - size)
        yield "crop of another place in the head", _box(t1, other, size), {}


def _box(voxels: np.ndarray, corner: np.ndarray, size: np.ndarray) -> np.ndarray:
    return voxels[tuple(slice(c, c + n) for c, n in zip(corner, size, strict=True))]


def _macaque() -> Iterator[Sample]:
    """Another species (INIA19, Rohlfing et al. 2012), in its own size and in that of a human."""
    volume = np.asarray(nib.load(MACAQUE).dataobj)[::-1, ::-1]
    for size, kind in ((0.5, "macaque brain"), (0.5 * HUMAN, "macaque brain, twice as large")):
        header = {"PixelSpacing": [size, size], "SliceThickness": size}
        yield kind, volume, header
