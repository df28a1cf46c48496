"""What a network for chest radiographs says of itself: `card.toml` beside its ONNX file.

The built-in network is described the same way as one that a hospital brings.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hilum.module.cards import CardTable, CodedTable, CommonCard

Share = Annotated[float, Field(ge=0, le=1)]


class OutputGroup(CodedTable):
    """One output of the network: what a reader calls it, and its code (PS3.16, SNOMED CT, ...)."""

    label: str = Field(min_length=1)


class InputImage(CardTable):
    """How a film becomes the network's input.

    The border comes off and the film is stretched to 0-1 (1st to 99th percentile) in any case. Then
    the rows above `cut_top` (a share) go, or everything but the square around the lungs (`crop`);
    `fit` keeps the aspect ratio by going on with the edge, or squashes to `rows` x `columns`.
    Grey is repeated in every channel: (grey x `scale` - `mean`) / `std`, the last two per channel
    in the order of `colours`.
    """

    rows: int = Field(ge=16, le=2048)
    columns: int = Field(ge=16, le=2048)
    colours: Literal["grey", "RGB", "BGR"] = "grey"
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    crop: Literal["full", "lungs"] = "full"
    cut_top: float = Field(0.0, ge=0, lt=0.5)
    fit: Literal["pad", "squash"] = "pad"
    scale: float = Field(1.0, gt=0)
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    @property
    def channels(self) -> int:
        return 1 if self.colours == "grey" else 3

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, self.channels):
                raise ValueError(f"{name} has {len(values)} values, {self.colours} needs 1 or 3")
        if not all(value > 0 for value in self.std):
            raise ValueError("std is above 0")
        if self.crop == "lungs" and self.cut_top:
            raise ValueError("cut_top is for crop = 'full'")
        if self.fit == "pad" and self.rows != self.columns:
            raise ValueError("fit = 'pad' gives a square: rows and columns must be equal")
        return self


class Output(CardTable):
    """Names of the ONNX outputs; the scores are (1, groups).

    `activation`, where the network has one, is its class activation map: (1, groups, rows, columns)
    with the layout NCHW, (1, rows, columns, groups) with NHWC.
    """

    scores: str
    kind: Literal["probabilities", "logits"]
    temperature: float = Field(1.0, gt=0, description="Divides the logits.")
    activation: str = ""


class ModelCard(CommonCard):
    """The whole card. Scores below `abstain_below` are reported as indeterminate; a share of
    evidence inside the lungs below `low_evidence` is flagged."""

    module: Literal["chest-radiograph"]
    abstain_below: Share
    low_evidence: Share = 0.5
    file: str = "network.onnx"
    input: InputImage
    output: Output
    group: tuple[OutputGroup, ...] = Field(min_length=2)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if Path(self.file).name != self.file:
            raise ValueError("file is a file name, beside the card")
        if len({group.label for group in self.group}) < len(self.group):
            raise ValueError("two groups have the same label")
        if self.output.temperature != 1 and self.output.kind == "probabilities":
            raise ValueError("a temperature is for logits")
        return self
