"""The segmentation network: a crop in, labels and probabilities out (OpenVINO)."""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from highdicom import Volume

ANTERIOR, POSTERIOR = 1, 2
TRAINING_ORIENTATION = "RAH"  # axes run to the right, to anterior, to the head: NIfTI's RAS
MULTIPLE = 8  # three halvings inside the network
CALIBRATION_KEY = "calibration"  # in the metadata of the ONNX file

Limits = tuple[float | None, float | None]


@dataclass(frozen=True)
class Bounds:
    """Where a number is usual (`passes`) and beyond which nothing is reported (`refuses`)."""

    passes: Limits
    refuses: Limits


@dataclass(frozen=True)
class Calibration:
    """What was measured on held-out persons; it lies in the ONNX file, under the same SHA-256.

    `relative_error` is one standard deviation of a volume as a share of it, for the parts
    `anterior`, `posterior` and `whole`, and for `both` hippocampi together; that of `asymmetry` is
    a share, too. `bounds` are those of the gates, by name.
    """

    background_offset: float
    relative_error: dict[str, float]
    bounds: dict[str, Bounds]

    @classmethod
    def read(cls, text: str) -> "Calibration":
        """From the JSON that `write` made."""
        fields = json.loads(text)
        bounds = {
            name: Bounds(tuple(b["passes"]), tuple(b["refuses"]))
            for name, b in fields.pop("bounds").items()
        }
        return cls(bounds=bounds, **fields)

    def write(self) -> str:
        """Write it as JSON with sorted keys."""
        return json.dumps(asdict(self), sort_keys=True)


def normalise(voxels: np.ndarray) -> np.ndarray:
    """Clip to the 0.5th and 99.5th percentile and z-score; MR intensities have no unit.

    Training and inference both call this, so they cannot drift apart.
    """
    low, high = map(float, np.percentile(voxels, (0.5, 99.5)))
    clipped = np.clip(voxels.astype(np.float32), low, high)
    return np.asarray((clipped - clipped.mean()) / max(float(clipped.std()), 1e-6))


def divided(region: np.ndarray, anterior: np.ndarray) -> np.ndarray:
    """Labels of a boolean `region`, uint8, by where it is `anterior`."""
    return np.where(region, np.where(anterior, ANTERIOR, POSTERIOR), 0).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class Segmentation:
    """What the network made of one crop. Arrays are (x, y, z): to the right, anterior, the head.

    `image` is the z-scored crop. `logits` (3, x, y, z) are those of background, anterior and
    posterior. `background_offset` is added to the background's logit, so that volumes are unbiased.
    """

    source: Volume
    image: np.ndarray
    logits: np.ndarray
    background_offset: float = 0.0

    @cached_property
    def probabilities(self) -> np.ndarray:
        """Of background, anterior and posterior: (3, x, y, z)."""
        exponential = np.exp(self._offset(self.logits - self.logits.max(0)))
        return np.asarray(exponential / exponential.sum(0))

    @cached_property
    def likeliest(self) -> np.ndarray:
        """The likeliest label of each voxel by itself; uint8 (x, y, z)."""
        return np.asarray(self._offset(self.logits).argmax(0), np.uint8)

    @cached_property
    def first_anterior(self) -> int:
        """Index y of the coronal slice in which the anterior part begins: the likeliest one.

        Raters divide a hippocampus by a coronal plane, so there is one place to find and not one
        label for each voxel: that with the largest sum of log-odds on its right sides.
        """
        odds = self.logits[ANTERIOR] - self.logits[POSTERIOR]
        by_slice = (odds * (self.likeliest > 0)).sum((0, 2))
        behind = np.concatenate(([0.0], np.cumsum(by_slice)))
        return int(np.argmin(behind))

    @cached_property
    def labels(self) -> np.ndarray:
        """0 background, 1 anterior, 2 posterior; uint8 (x, y, z)."""
        places = np.arange(self.logits.shape[2])[:, None]
        return divided(self.likeliest > 0, places >= self.first_anterior)

    def on_grid(self, values: np.ndarray) -> Volume:
        """`values` (x, y, z) on the grid of the volume that was segmented."""
        upright = self.source.to_patient_orientation(TRAINING_ORIENTATION)
        placed: Volume = upright.with_array(values).match_geometry(self.source)
        return placed

    def mask(self, labels: Collection[int]) -> Volume:
        """Boolean volume on the grid of the source: where the label is one of `labels`."""
        return self.on_grid(np.isin(self.labels, list(labels)))

    def _offset(self, logits: np.ndarray) -> np.ndarray:
        offset = np.array([self.background_offset, 0, 0], np.float32)
        return np.asarray(logits + offset[:, None, None, None])


class Segmenter:
    """Loads a network exported by `training/hippocampus/export.py` and runs it on crops.

    The network takes what it was trained on: one hippocampus, about 1 mm isotropic. Spacing is not
    resampled: 0.9 to 1.1 mm lies within the scaling it was trained with, the rest is refused by
    `HippocampalVolume.needs`.
    """

    def __init__(self, weights: Path, threads: int = 2) -> None:
        # Only here: processes that ask a module for its facts run no network.
        from openvino import Core  # type: ignore[attr-defined]

        core = Core()
        model = core.read_model(weights)
        settings = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        self._network = core.compile_model(model, "CPU", settings)
        described = ["framework", CALIBRATION_KEY]  # where the metadata of an ONNX file go
        self.calibration: Calibration | None = None
        if model.has_rt_info(described):
            self.calibration = Calibration.read(model.get_rt_info(described).astype(str))

    def __call__(self, volume: Volume) -> Segmentation:
        """Segment `volume`: intensities (slices, rows, columns), LPS affine, any orientation."""
        image = normalise(volume.to_patient_orientation(TRAINING_ORIENTATION).array)
        return Segmentation(
            source=volume,
            image=image,
            logits=self.logits(image),
            background_offset=self.calibration.background_offset if self.calibration else 0.0,
        )

    def logits(self, image: np.ndarray) -> np.ndarray:
        """Raw output (3, x, y, z) for a z-scored crop, padded by its edge values meanwhile."""
        padded = np.pad(image, [(0, -n % MULTIPLE) for n in image.shape], mode="edge")
        logits = self._network([padded[None, None].astype(np.float32)])[0][0]
        return np.asarray(logits[:, : image.shape[0], : image.shape[1], : image.shape[2]])
