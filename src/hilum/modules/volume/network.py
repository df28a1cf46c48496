"""The network itself: values as it was trained on, windows, and what it has to find again."""

from abc import ABC, abstractmethod
from pathlib import Path

import numpy as np

from hilum.errors import ConfigurationError, ModuleError
from hilum.modules.onnx import fits, session_of_site
from hilum.modules.volume.card import SegmentationCard, VolumeCard, Voxels
from hilum.modules.volume.windows import over_all

LEAST = 1e-6  # of what values are divided by


def scaled(array: np.ndarray, voxels: Voxels) -> np.ndarray:
    """Values of a volume as the network was trained on them: float32, of the same shape."""
    low, high = _ends(array, voxels)
    clips = voxels.clip or voxels.percentiles
    clipped = np.clip(array, low, high) if clips else np.asarray(array, np.float32)
    if voxels.scale == "range":
        return ((clipped - low) / max(high - low, LEAST)).astype(np.float32)
    if voxels.scale == "fixed":
        return ((clipped - voxels.mean) / voxels.std).astype(np.float32)
    if voxels.scale == "none":
        return clipped.astype(np.float32)
    counts = clipped != 0 if voxels.scale == "nonzero" else np.ones(clipped.shape, bool)
    if not counts.any():
        return np.zeros(clipped.shape, np.float32)
    part = clipped[counts]
    mean, deviation = float(part.mean()), max(float(part.std()), LEAST)
    return np.where(counts, (clipped - mean) / deviation, 0).astype(np.float32)


def _ends(array: np.ndarray, voxels: Voxels) -> tuple[float, float]:
    if voxels.clip:
        return voxels.clip
    ends = np.percentile(array, voxels.percentiles or (0, 100))
    return float(ends[0]), float(ends[1])


class SegmentationNetwork(ABC):
    """A network for volumes, wherever it is computed, with what its card says of it."""

    def __init__(self, card: SegmentationCard) -> None:
        self.card = card

    def on_grid(self, array: np.ndarray) -> np.ndarray:
        """What the network says of voxels on its grid, before they are clipped and scaled.

        (channels, three sides): probabilities, or what comes out where activation is none.
        """
        said = over_all(self._judged, scaled(array, self.card.voxels), self.card.patch)
        if not np.isfinite(said).all():
            raise ModuleError(f"{self.card.name} gave values that are not finite")
        return self._activated(said)

    @abstractmethod
    def ask(self, image: np.ndarray) -> np.ndarray:
        """What comes out for one window, float32 (1, 1, three sides), by the output of the card."""

    def _judged(self, image: np.ndarray) -> np.ndarray:
        values = self.ask(image[None, None])
        if values.shape != (1, self.card.output.channels, *image.shape):
            raise ModuleError(
                f"{self.card.name} gave {values.shape} for a window of {image.shape}; the card says"
                f" {self.card.output.channels} channels of the same sides"
            )
        return np.asarray(values[0])

    def _activated(self, said: np.ndarray) -> np.ndarray:
        """In place: as many arrays of this size as there are channels take much memory."""
        if self.card.output.activation == "softmax":
            said -= said.max(0)
            np.exp(said, out=said)
            said /= said.sum(0)
        elif self.card.output.activation == "sigmoid":
            np.clip(said, -60, 60, out=said)  # exp of more is beyond float32
            np.negative(said, out=said)
            np.exp(said, out=said)
            said += 1
            np.reciprocal(said, out=said)
        return said


class VolumeNetwork(SegmentationNetwork):
    """The network that the card in `folder` describes. Raises `ConfigurationError`."""

    def __init__(self, folder: Path, card: VolumeCard, threads: int) -> None:
        super().__init__(card)
        self._known = card.test
        self._file = card.file
        self._folder = folder
        self._session = session_of_site(folder / card.file, threads)
        inputs = self._session.get_inputs()
        size = card.patch.size or (None, None, None)
        if len(inputs) != 1 or not fits(inputs[0].shape, (1, 1, *size)):
            given = ", ".join(str(each.shape) for each in inputs) or "none"
            raise self._other(f"one input {_shown((1, 1, *size))}", given)
        outputs = {each.name: each.shape for each in self._session.get_outputs()}
        output = card.output
        if output.name not in outputs:
            raise self._other(f"an output {output.name!r}", f"only {', '.join(outputs)}")
        if not fits(outputs[output.name], (1, output.channels, *size)):
            expected = f"an output {_shown((1, output.channels, *size))}"
            raise self._other(expected, str(outputs[output.name]))
        self._input = inputs[0].name

    def _other(self, expected: str, found: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self._folder / self._file}: the card gives {expected}, the file has {found}"
        )

    def ask(self, image: np.ndarray) -> np.ndarray:
        found = self._session.run([self.card.output.name], {self._input: image})
        return np.asarray(found[0])

    def require_known_answer(self) -> None:
        """Raise `ConfigurationError` where the network does not find again what it has to."""
        test = self._known
        if test is None:
            return
        path = self._folder / test.file
        try:
            with np.load(path, allow_pickle=False) as held:
                voxels, labels = held["voxels"], held["labels"]
        except (OSError, KeyError, ValueError) as error:
            raise ConfigurationError(f"{path} holds no voxels and labels: {error}") from error
        if voxels.ndim != 3 or labels.shape[-3:] != voxels.shape:
            raise ConfigurationError(f"{path}: voxels and labels do not have the same three sides")
        said = self.on_grid(np.asarray(voxels, np.float32))
        for label in self.card.label:
            found = self._is(said, label.number)
            dice = _dice(found, _expected(labels, label.number))
            if dice < test.dice:
                raise ConfigurationError(
                    f"{path}: {label.label} is found with a Dice coefficient of {dice:.3f}, the"
                    f" card wants {test.dice:g}: either the card or the file is not what was tested"
                )

    def _is(self, said: np.ndarray, number: int) -> np.ndarray:
        if self.card.output.is_exclusive:
            return np.asarray(said.argmax(0) == number)
        return np.asarray(said[number] > self.card.output.threshold)


def _expected(labels: np.ndarray, number: int) -> np.ndarray:
    """Where a channel is to be found, in a map of numbers or in a mask for each channel."""
    return np.asarray(labels == number if labels.ndim == 3 else labels[number] > 0)


def _dice(one: np.ndarray, other: np.ndarray) -> float:
    """1 where both are empty."""
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else 1.0


def _shown(shape: tuple[int | None, ...]) -> str:
    return f"[{', '.join('any' if side is None else str(side) for side in shape)}]"
