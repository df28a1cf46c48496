"""The module that keeps what it received, one class for each modality."""

from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path

import numpy as np

from hilum import Finding, Input, Measurement, Segment, Series, codes
from hilum.inbox import digest

DISTRIBUTION = "hilum-lab-odd-input"
RECEIVED = "received.txt"  # beside its metadata: the folder where what it receives is kept


class ReceivesMR:
    """Keeps voxels and affine, and finds the brighter half."""

    name, version, title = "lab-receives-mr", "1.0", "Received"
    needs = Input(modality="MR")

    def run(self, series: Series) -> Iterator[Finding]:
        volume = series.volume()
        folder = Path(distribution(DISTRIBUTION).read_text(RECEIVED) or "")
        path = folder / f"{digest(series.study_uid)}.npz"
        np.savez(path, array=volume.array, affine=volume.affine)
        mask = volume.with_array(volume.array > np.median(volume.array))
        bright = Segment(mask, codes.BRAIN, "Bright")
        yield bright
        yield Measurement(codes.VOLUME, bright.volume_ml, codes.MILLILITRE, of=bright)


class ReceivesCT(ReceivesMR):
    name = "lab-receives-ct"
    needs = Input(modality="CT")


class ReceivesPT(ReceivesMR):
    name = "lab-receives-pt"
    needs = Input(modality="PT")


MODULES = (ReceivesMR, ReceivesCT, ReceivesPT)


def kept(folder: Path, study_uid: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Voxels and affine that were received of a study, or None."""
    path = folder / f"{digest(study_uid)}.npz"
    if not path.exists():
        return None
    with np.load(path) as arrays:
        return arrays["array"], arrays["affine"]
