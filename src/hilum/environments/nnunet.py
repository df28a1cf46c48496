"""The format "nnunet": the folder of a trained nnU-Net v2, by its plans and its card."""

from pathlib import Path
from typing import Any

from pydantic import Field

from hilum.environments.recipe import FrameworkCard, OfFramework, Recipe, read_json
from hilum.errors import ConfigurationError
from hilum.module import CARD
from hilum.module.cards import Axes

DATASET, PLANS = "dataset.json", "plans.json"
TARGET = "hilum_module.models.nnunet:NnUNet"
PACKAGES = {"nnunetv2": "2.8.1", "torch": ""}  # the version whose source was read
NO_STRUCTURE = ("background", "ignore")


class NnUNetCard(FrameworkCard):
    """What the card of an nnU-Net says.

    `axes` says where the axes of the arrays lead that it was trained on, in the order that
    SimpleITK reads them: "SPL" for axial images as scanners make them. nnU-Net itself never turns
    an image. `folds` are all that there are, unless they are named. `mirroring` is its test-time
    augmentation, which takes eight times as long; `step` is that of its window, as a share.
    """

    axes: Axes
    folds: tuple[int | str, ...] = ()
    checkpoint: str = "checkpoint_final.pth"
    step: float = Field(0.5, gt=0, le=1)
    mirroring: bool = True


class NnUNet(OfFramework):
    """A trained nnU-Net, which becomes a module with an environment of its own."""

    @classmethod
    def recipe(cls, folder: Path) -> Recipe | None:
        """How the model in `folder` becomes a module; None if there is none.

        Raises `ConfigurationError` for one that takes several images, or has no card.
        """
        if not (folder / DATASET).is_file() or not (folder / PLANS).is_file():
            return None
        dataset = read_json(folder / DATASET)
        channels = dataset.get("channel_names") or {}
        if len(channels) != 1:
            told = ", ".join(map(str, channels.values())) or "nothing"
            raise ConfigurationError(f"{folder}: it takes {told}; Hilum gives it one series")
        if not (folder / CARD).is_file():
            raise ConfigurationError(
                f"{folder} has no {CARD}: an nnU-Net does not say how the images lie that it was"
                " trained on, nor what its structures are"
            )
        card = NnUNetCard.read(folder)
        folds = card.folds or _folds(folder, card.checkpoint)
        weights = [Path(f"fold_{fold}") / card.checkpoint for fold in folds]
        for file in weights:
            if not (folder / file).is_file():
                raise ConfigurationError(f"{folder / file}: there is no such file")
        return Recipe(
            folder=folder,
            card=card,
            target=TARGET,
            numbers=_numbers(folder, dataset),
            packages=PACKAGES,
            options={
                "axes": card.axes,
                "folds": list(folds),
                "checkpoint": card.checkpoint,
                "step": card.step,
                "mirroring": card.mirroring,
            },
            files=(Path(DATASET), Path(PLANS), *weights),
        )


def _folds(folder: Path, checkpoint: str) -> tuple[int | str, ...]:
    """Every fold that has weights; that of all images only where there is no other."""
    names = sorted(
        path.parent.name.removeprefix("fold_") for path in folder.glob(f"fold_*/{checkpoint}")
    )
    numbered = tuple(int(name) for name in names if name.isdigit())
    if not names:
        raise ConfigurationError(f"{folder}: no fold has a {checkpoint}")
    return numbered or tuple(names)


def _numbers(folder: Path, dataset: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    """The numbers of each structure; a region has several, and regions may hold each other."""
    labels = dataset.get("labels")
    if not isinstance(labels, dict):
        raise ConfigurationError(f"{folder / DATASET} has no labels")
    found: dict[str, tuple[int, ...]] = {}
    for name, numbers in labels.items():
        listed = numbers if isinstance(numbers, list) else [numbers]
        if not all(isinstance(number, int) for number in listed):
            raise ConfigurationError(f"{folder / DATASET}: label {name!r} is not a number")
        if name not in NO_STRUCTURE and listed:
            found[name] = tuple(listed)
    return found
