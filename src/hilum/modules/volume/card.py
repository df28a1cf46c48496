"""What a network for volumes says of itself: `card.toml` beside its ONNX file."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hilum.module.cards import Axes, CardTable, CardVolume, CommonCard
from hilum.module.structures import StructureText

Side = Annotated[int, Field(ge=1, le=4096)]
Millimetres = Annotated[float, Field(gt=0, le=100)]
Percent = Annotated[float, Field(ge=0, le=100)]
Three = tuple[Side, Side, Side]


class Voxels(CardTable):
    """How a volume becomes the network's input: laid along its axes, resampled, clipped, scaled.

    `axes` says where each axis of the network's input leads in the patient, in their order: "RAS"
    is right, anterior, superior. `spacing` is in mm in the same order; without it the voxels stay
    as they are. Values are those after the Modality LUT (Hounsfield units of a CT), or SUV by body
    weight. They are clipped to the values `clip` or to the `percentiles`, and then scaled:

    - none: not at all,
    - range: from the ends of what they were clipped to, or of the volume, to 0 and 1,
    - volume: by mean and standard deviation of the volume; nonzero: by those of all voxels but 0,
    - fixed: less `mean`, divided by `std`.
    """

    axes: Axes = "RAS"
    spacing: tuple[Millimetres, Millimetres, Millimetres] | None = None
    interpolation: Literal["nearest", "linear", "cubic"] = "linear"
    units: Literal["rescaled", "suv"] = "rescaled"
    clip: tuple[float, float] | None = None
    percentiles: tuple[Percent, Percent] | None = None
    scale: Literal["none", "range", "volume", "nonzero", "fixed"] = "none"
    mean: float = 0.0
    std: float = Field(1.0, gt=0)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.clip and self.percentiles:
            raise ValueError("clip and percentiles exclude each other")
        for low, high in filter(None, (self.clip, self.percentiles)):
            if low >= high:
                raise ValueError("the first value of clip or percentiles is the lower one")
        if self.scale != "fixed" and (self.mean, self.std) != (0.0, 1.0):
            raise ValueError('mean and std are for scale = "fixed"')
        return self


class Patch(CardTable):
    """What the network sees at once, in voxels along `axes`.

    With `size` a window of that size slides over the volume: windows share `overlap` of a side, and
    the middle of each weighs more where `blend` is gaussian. Without it the whole volume is given
    at once, filled up to a `multiple`. `pad` is what stands outside the volume: a value as the
    network gets it, or "edge".
    """

    size: Three | None = None
    overlap: float = Field(0.5, ge=0, le=0.9)
    blend: Literal["gaussian", "constant"] = "gaussian"
    multiple: Three = (1, 1, 1)
    pad: float | Literal["edge"] = 0.0

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.size and self.multiple != (1, 1, 1):
            raise ValueError("multiple is for a network that gets the whole volume, without size")
        return self


class StructureOutput(CardTable):
    """What comes out: (1, channels, three sides as those of the input), by the ONNX output `name`.

    With softmax each voxel belongs to the channel with the highest value, with sigmoid to every
    channel above `threshold`. Channels without a label are background.
    """

    name: str = Field(min_length=1)
    activation: Literal["softmax", "sigmoid", "none"] = "softmax"
    channels: int = Field(ge=1, le=1024)
    threshold: float = 0.5

    @property
    def is_exclusive(self) -> bool:
        """Whether a voxel belongs to one structure at most."""
        return self.activation == "softmax"


class NetworkLabel(StructureText):
    """One channel of the output (`number`), and which voxels of it count.

    `keep` = "largest" leaves only the largest connected piece, `min_ml` those that are not smaller.
    A structure that has to lie in the images as a `whole` gets a caution where it reaches their
    edge.
    """

    number: int = Field(ge=0, le=65535)
    keep: Literal["all", "largest"] = "all"
    min_ml: float = Field(0.0, ge=0)
    whole: bool = False


class KnownAnswer(CardTable):
    """What the network has to find again before it is used.

    `file` is a NumPy archive (npz): `voxels`, float32 along the axes of the network and in its
    spacing, before they are clipped and scaled, and `labels`, the numbers that are to come out, or
    a mask for each channel. The Dice coefficient of every structure has to be `dice` at least.
    """

    file: str = "known.npz"
    dice: float = Field(0.99, gt=0, le=1)


class SegmentationCard(CommonCard):
    """What a card says of a network that segments volumes, wherever that is computed."""

    module: str
    input: CardVolume
    voxels: Voxels = Voxels()
    patch: Patch = Patch()
    output: StructureOutput
    label: tuple[NetworkLabel, ...]

    @model_validator(mode="after")
    def _check_labels(self) -> Self:
        numbers = [label.number for label in self.label]
        if not numbers:
            raise ValueError("a [[label]] is needed for each structure")
        if len(set(numbers)) < len(numbers):
            raise ValueError("two labels have the same number")
        if self.output.is_exclusive and self.output.channels < 2:
            raise ValueError("softmax needs two channels; for one, take sigmoid")
        if max(numbers) >= self.output.channels:
            raise ValueError(f"the numbers of {self.output.channels} channels begin at 0")
        if self.output.is_exclusive and 0 in numbers:
            raise ValueError("channel 0 is the background where activation is softmax")
        if self.voxels.units == "suv" and self.input.modality != "PT":
            raise ValueError("SUV is for modality = 'PT'")
        return self


class VolumeCard(SegmentationCard):
    """The whole card of a network for volumes in an ONNX file."""

    module: Literal["volume"]
    file: str = "network.onnx"
    test: KnownAnswer | None = None

    @property
    def files(self) -> tuple[str, ...]:
        """Every file beside the card that belongs to the network."""
        return (self.file, self.test.file) if self.test else (self.file,)

    @model_validator(mode="after")
    def _check_files(self) -> Self:
        if any(Path(name).name != name for name in self.files):
            raise ValueError("file is a file name, beside the card")
        return self
