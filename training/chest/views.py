"""Films as the classifier sees them in training: cut out, changed at random, and through the trunk.

Everything up to the cut is the module's own preprocessing. Images and lungs are (n, 1, side, side).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import binary_dilation

from augment import affine, erased, intensity
from export import write
from films import Film
from hilum.modules.chest.networks import LungSegmenter, session_of
from hilum.modules.chest.preprocess import bilinear, cropped, lung_box, prepare, squared
from lite import FROZEN, Trunk

SIDE = 192
AROUND = 6  # pixels that belong to the lungs beyond the mask, when the rest is hidden
BATCH = 16


@dataclass(frozen=True)
class Look:
    """`cut` full or lungs; `hide` nothing, outside or inside the lungs; `strong` augmentation."""

    cut: str = "lungs"
    hide: str = ""
    strong: bool = False

    @property
    def name(self) -> str:
        return "-".join(filter(None, (self.cut, self.hide, "strong" if self.strong else "")))


@dataclass(frozen=True, eq=False)
class Cuts:
    """Every film cut out: images and lungs (n, 1, side, side)."""

    images: torch.Tensor
    lungs: torch.Tensor

    def __getitem__(self, which: object) -> "Cuts":
        return Cuts(self.images[which], self.lungs[which])


def cut(film: np.ndarray, segment: LungSegmenter, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Values of a film to an image and its lungs, both (side, side), 0-1."""
    image = prepare(film).image
    lungs = segment(image)
    box = lung_box(lungs > 0.5) if kind == "lungs" else None
    if box is None:
        return squared(image, SIDE), squared(lungs, SIDE)
    size = (SIDE, SIDE)
    return bilinear(cropped(image, box), size), bilinear(cropped(lungs, box), size)


def cuts_of(films: Sequence[Film], kind: str) -> Cuts:
    """All films cut out."""
    segment = LungSegmenter()
    pairs = [cut(film.values(), segment, kind) for film in films]
    images, lungs = (torch.from_numpy(np.stack(each))[:, None] for each in zip(*pairs, strict=True))
    return Cuts(images, lungs)


def hidden(images: torch.Tensor, lungs: torch.Tensor, what: str) -> torch.Tensor:
    """With what lies `inside` or `outside` the lungs replaced by one grey; or as it is."""
    if not what:
        return images
    grown = binary_dilation(lungs.numpy() > 0.5, np.ones((1, 1, 3, 3)), iterations=AROUND)
    keep = torch.from_numpy(grown if what == "outside" else ~grown)
    return torch.where(keep, images, torch.tensor(0.5))


def changed(cuts: Cuts, look: Look, rng: np.random.Generator) -> torch.Tensor:
    """One random view of every film."""
    images, lungs = affine(cuts.images, cuts.lungs, rng, 0.6)
    if look.strong:
        images = erased(intensity(images, rng), lungs, rng)
    return hidden(images, lungs, look.hide)


class FrozenTrunk:
    """The trunk in ONNX Runtime, several times faster than torch; float16 out."""

    def __init__(self, folder: Path, blocks: int = FROZEN) -> None:
        path = folder / f"trunk-{blocks}.onnx"
        if not path.exists():
            write(Trunk(blocks).eval(), torch.zeros(1, 1, SIDE, SIDE), path, ["features"])
        self._session = session_of(path, 1)

    def __call__(self, images: torch.Tensor) -> np.ndarray:
        """(n, 1, side, side) to (n, channels, h, w)."""
        parts = [
            self._session.run(None, {"image": images[i : i + BATCH].numpy()})[0].astype(np.float16)
            for i in range(0, len(images), BATCH)
        ]
        return np.concatenate(parts)


def features_of(
    cut_all: Callable[[], Cuts], look: Look, views: int, trunk: FrozenTrunk, folder: Path
) -> tuple[np.ndarray, np.ndarray]:
    """Plain (n, channels, h, w) and changed (views, n, ...) features; kept in `folder`."""
    path = folder / f"features-{look.name}.npz"
    if not path.exists():
        rng = np.random.default_rng(0)
        cuts = cut_all()
        plain = trunk(hidden(cuts.images, cuts.lungs, look.hide))
        seen = np.stack([trunk(changed(cuts, look, rng)) for _ in range(views)])
        np.savez(path, plain=plain, seen=seen)
    with np.load(path) as stored:
        return stored["plain"], stored["seen"]
