"""The networks of the chest module, run by ONNX Runtime."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hilum.errors import ConfigurationError, ModuleError
from hilum.modules.chest.card import ModelCard
from hilum.modules.chest.preprocess import (
    Box,
    bilinear,
    cropped,
    lung_box,
    pasted,
    square_around,
    squared,
    unsquared,
)
from hilum.modules.onnx import fits, session_of, session_of_site


class LungSegmenter:
    """Where the lungs are: probability of lung for every pixel of a prepared film."""

    weights = Path(__file__).with_name("lungs.onnx")
    side = 128

    def __init__(self, weights: Path | None = None, threads: int = 1) -> None:
        self._session = session_of(weights or self.weights, threads)

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """`image` (rows, columns) 0-1 to probabilities on the same grid."""
        feed = {"image": squared(image, self.side)[None, None]}
        lungs = np.asarray(self._session.run(["lungs"], feed)[0])[0, 0]
        return unsquared(lungs, (image.shape[0], image.shape[1]))


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a network said of one prepared film.

    `scores` (groups,) lie between 0 and 1 and add up to 1. `activation` (groups, rows, columns) is
    the class activation map of the part `box` of the film whose rows begin at `cut`; None if the
    network has none.
    """

    scores: np.ndarray
    activation: np.ndarray | None
    box: Box
    cut: int
    shape: tuple[int, int]

    def evidence(self, group: int) -> np.ndarray | None:
        """Where the evidence for a group lies: 0-1 on the prepared film, (rows, columns)."""
        if self.activation is None:
            return None
        rows, columns = self.shape
        seen = pasted(self.activation[group], self.box, (rows - self.cut, columns))
        positive = np.maximum(np.pad(seen, ((self.cut, 0), (0, 0))), 0)
        return np.asarray(positive / max(float(positive.max()), 1e-6), np.float32)


class Classifier:
    """A classifier described by the card in its folder. Raises `ConfigurationError`."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        self.card = ModelCard.read(folder)
        self._session = session_of_site(folder / self.card.file, threads)
        self._check(folder)

    def _check(self, folder: Path) -> None:
        """The ONNX file must be what the card says."""
        picture, output = self.card.input, self.card.output
        inputs = self._session.get_inputs()
        size = (picture.channels, picture.rows, picture.columns)
        expected = (1, *size) if picture.layout == "NCHW" else (1, *size[1:], size[0])
        given = [each.shape for each in inputs]
        if len(given) != 1 or not fits(given[0], expected):
            shapes = ", ".join(map(str, given)) or "none"
            raise ConfigurationError(f"{folder}: the card gives one input {expected}, not {shapes}")
        outputs = {each.name: each.shape for each in self._session.get_outputs()}
        for name in filter(None, (output.scores, output.activation)):
            if name not in outputs:
                raise ConfigurationError(f"{folder}: no output {name!r}, only {', '.join(outputs)}")
        if not fits(outputs[output.scores], (1, len(self.card.group))):
            raise ConfigurationError(
                f"{folder}: {len(self.card.group)} groups in the card, scores are"
                f" {outputs[output.scores]}"
            )
        self._input = inputs[0].name

    def __call__(self, image: np.ndarray, lungs: np.ndarray) -> Prediction:
        """`image` (rows, columns) 0-1 without its border, `lungs` boolean on the same pixels."""
        picture, output = self.card.input, self.card.output
        cut = int(picture.cut_top * len(image))
        seen = image[cut:]
        box: Box = (0, 0, seen.shape[0], seen.shape[1])
        if picture.crop == "lungs":
            box = lung_box(lungs) or square_around(box)
        elif picture.fit == "pad":
            box = square_around(box)
        grey = bilinear(cropped(seen, box), (picture.rows, picture.columns))
        names = list(filter(None, (output.scores, output.activation)))
        found = self._session.run(names, {self._input: self._tensor(grey)})
        return Prediction(
            scores=self._scores(np.asarray(found[0], np.float64)),
            activation=self._activation(np.asarray(found[1])) if output.activation else None,
            box=box,
            cut=cut,
            shape=(image.shape[0], image.shape[1]),
        )

    def _tensor(self, grey: np.ndarray) -> np.ndarray:
        picture = self.card.input
        channels = np.repeat(grey[..., None], picture.channels, axis=2) * picture.scale
        scaled = (channels - np.array(picture.mean)) / np.array(picture.std)
        if picture.layout == "NCHW":
            scaled = scaled.transpose(2, 0, 1)
        return np.ascontiguousarray(scaled[None], np.float32)

    def _scores(self, values: np.ndarray) -> np.ndarray:
        values = values.reshape(-1)
        if len(values) != len(self.card.group) or not np.isfinite(values).all():
            raise ModuleError(f"{self.card.name} gave no score for every group")
        if self.card.output.kind == "logits":
            powers = np.exp((values - values.max()) / self.card.output.temperature)
            return np.asarray(powers / powers.sum())
        if values.min() < -1e-3 or abs(values.sum() - 1) > 1e-2:
            raise ModuleError(f"{self.card.name}: its probabilities do not add up to 1")
        return np.asarray(np.clip(values / values.sum(), 0, 1))

    def _activation(self, values: np.ndarray) -> np.ndarray:
        if self.card.input.layout == "NHWC":
            values = values.transpose(0, 3, 1, 2)
        if values.ndim != 4 or values.shape[1] != len(self.card.group):
            raise ModuleError(f"{self.card.name} gave no activation map for every group")
        activation = np.asarray(values[0], np.float32)
        if not np.isfinite(activation).all():
            raise ModuleError(f"{self.card.name} gave an activation map that is not finite")
        return activation
