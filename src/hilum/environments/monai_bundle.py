"""The format "monai-bundle": a MONAI bundle, by its `configs/metadata.json`.

As MONAI's specification of bundles says (mb_specification.rst); its workflow is run as it is.
"""

from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field, JsonValue, ValidationError

from hilum.environments.recipe import FrameworkCard, OfFramework, Recipe, read_json, slug
from hilum.errors import ConfigurationError
from hilum.module import CARD
from hilum.module.cards import card_values, in_words

METADATA = Path("configs") / "metadata.json"
TARGET = "hilum_module.models.monai_bundle:MonaiBundle"
MODALITIES = {"MRI": "MR", "PET": "PT"}  # DICOM's words for those of bundles
PYPI = {"pytorch": "torch"}  # names of packages, where they differ
ALWAYS = ("nibabel", "pytorch-ignite")  # reads and writes the images; runs most workflows
IN_PARTS = ("segmentation", "labels", "one-hot")  # formats of a result that outlines structures
LONGEST_TITLE, LONGEST_VERSION = 64, 32


class Channels(BaseModel):
    """What `network_data_format` says of one input or output."""

    type: str = "image"
    format: str = ""
    modality: str = ""
    num_channels: int = 1
    channel_def: dict[str, str] = Field(default_factory=dict)


class DataFormat(BaseModel):
    """`network_data_format`: inputs and outputs by name."""

    inputs: dict[str, Channels]
    outputs: dict[str, Channels]


class Metadata(BaseModel):
    """What is read of `metadata.json`; the rest is for people."""

    version: str
    name: str = ""
    task: str = ""
    intended_use: str = ""
    monai_version: str
    pytorch_version: str
    numpy_version: str
    required_packages_version: dict[str, str] = Field(default_factory=dict)
    optional_packages_version: dict[str, str] = Field(default_factory=dict)
    network_data_format: DataFormat

    @property
    def packages(self) -> dict[str, str]:
        """The packages that the bundle was made with, by the names that PyPI has."""
        named = {
            "monai": self.monai_version,
            "torch": self.pytorch_version,
            "numpy": self.numpy_version,
            **self.optional_packages_version,
            **self.required_packages_version,
        }
        found = {PYPI.get(name, name): version for name, version in named.items()}
        return {**dict.fromkeys(ALWAYS, ""), **found}


class BundleCard(FrameworkCard):
    """What a card may say of a bundle. All of it has a default, or stands in the metadata.

    `config` is the file of the workflow. `images_id` and `output_id` are the ids in it that the
    images and the folder for the result are put at; `override` is what else is to be changed.
    """

    config: str = ""
    images_id: str = "dataset#data"
    output_id: str = "output_dir"
    override: dict[str, JsonValue] = Field(default_factory=dict)


class MonaiBundle(OfFramework):
    """A MONAI bundle, which becomes a module with an environment of its own."""

    @classmethod
    def recipe(cls, folder: Path) -> Recipe | None:
        """How the bundle in `folder` becomes a module; None if there is none.

        Raises `ConfigurationError` for a bundle that takes or gives what Hilum cannot.
        """
        if not (folder / METADATA).is_file():
            return None
        try:
            metadata = Metadata.model_validate(read_json(folder / METADATA))
        except ValidationError as error:
            raise ConfigurationError(f"{folder / METADATA}: {in_words(error)}") from None
        name, image = _image(folder, metadata)
        stated = card_values(folder) if (folder / CARD).is_file() else {}
        card = BundleCard.of(folder, {**_known(folder, metadata, image), **stated})
        config = card.config or _config(folder)
        about = (folder / "docs" / "README.md").resolve()
        is_own = about.is_file() and about.is_relative_to(folder.resolve())  # no link elsewhere
        return Recipe(
            folder=folder,
            card=card,
            target=TARGET,
            numbers=_numbers(folder, metadata),
            packages=metadata.packages,
            options={
                "config": config,
                "image": name,
                "images_id": card.images_id,
                "output_id": card.output_id,
                "override": {**_one_process(folder / config), **card.override},
            },
            about=about if is_own else None,
        )


def _image(folder: Path, metadata: Metadata) -> tuple[str, Channels]:
    """The one image that the network takes."""
    inputs = metadata.network_data_format.inputs
    images = [each for each in inputs.values() if each.type == "image"]
    if len(inputs) != 1 or len(images) != 1 or images[0].num_channels != 1:
        raise ConfigurationError(
            f"{folder}: the network takes {_told(inputs)}; Hilum gives it one image of one channel"
        )
    return next(iter(inputs)), images[0]


def _numbers(folder: Path, metadata: Metadata) -> dict[str, tuple[int, ...]]:
    """The structures of the result, which has to be one label map."""
    outputs = metadata.network_data_format.outputs
    found = next(iter(outputs.values()), None)
    if len(outputs) != 1 or found is None or found.format not in IN_PARTS:
        raise ConfigurationError(
            f"{folder}: the network gives {_told(outputs)}; Hilum takes one segmentation"
        )
    try:
        named = {name: (int(number),) for number, name in found.channel_def.items()}
    except ValueError:
        raise ConfigurationError(f"{folder}: channel_def has a key that is not a number") from None
    return {name: numbers for name, numbers in named.items() if name.lower() != "background"}


def _told(channels: dict[str, Channels]) -> str:
    words = (f"{name} ({each.num_channels} x {each.format})" for name, each in channels.items())
    return ", ".join(words) or "nothing"


def _known(folder: Path, metadata: Metadata, image: Channels) -> dict[str, Any]:
    """What the card need not say, because the bundle has."""
    modality = "CT" if image.format == "hounsfield" else image.modality.upper()
    title = metadata.name or metadata.task or folder.resolve().name
    known: dict[str, Any] = {
        "module": "monai-bundle",
        "name": slug(folder.resolve().name),
        "version": metadata.version[:LONGEST_VERSION],
        "title": title[:LONGEST_TITLE],
        "licence": "see the LICENSE of the bundle",
        "basis": metadata.intended_use
        or "The outline is the bundle's own; it was not compared with this hospital's.",
    }
    if modality:
        known["input"] = {"modality": MODALITIES.get(modality, modality)}
    return known


def _config(folder: Path) -> str:
    """The workflow of the bundle, as a path below `folder`."""
    for ending in ("json", "yaml", "yml"):
        if (folder / "configs" / f"inference.{ending}").is_file():
            return f"configs/inference.{ending}"
    raise ConfigurationError(f"{folder}: configs holds no inference.json and no inference.yaml")


def _one_process(config: Path) -> dict[str, JsonValue]:
    """What has a loader of images work in the process it is in: its walls let it start no other."""
    if config.suffix == ".json" and "dataloader" in read_json(config):
        return {"dataloader#num_workers": 0}
    return {}
