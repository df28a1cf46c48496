"""The format "volume": a network of the site for volumes, as an ONNX file with a card."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from hilum.dicom.series import Series
from hilum.errors import ConfigurationError
from hilum.findings import Finding
from hilum.module import CARD, Input
from hilum.module.cards import members_of
from hilum.modules.volume.card import VolumeCard
from hilum.modules.volume.network import VolumeNetwork
from hilum.modules.volume.segmenting import segmented


class VolumeModule:
    """Segments one series with the network in a folder, and measures each structure."""

    described: ClassVar[VolumeCard]
    folder: ClassVar[Path]
    name: str
    version: str
    title: str
    needs: Input
    weights: tuple[Path, ...]

    def __init__(self) -> None:
        """Load the network. Where the card has a test, its answer has to be the known one."""
        threads = int(os.environ.get("OMP_NUM_THREADS", 2))
        self.network = VolumeNetwork(self.folder, self.described, threads)
        self.network.require_known_answer()

    @classmethod
    def with_model(cls, folder: Path) -> type["VolumeModule"]:
        """The module that the card in `folder` describes, of which only the card is read.

        Raises `ConfigurationError` for a wrong card or a file that is not there.
        """
        card = VolumeCard.read(folder)
        files = [folder / name for name in card.files]
        for file in files:
            if not file.is_file():
                raise ConfigurationError(f"{file}: there is no such file")
        facts = {
            **members_of(folder, card),
            "described": card,
            "folder": folder,
            "needs": card.input,
            "weights": (*files, folder / CARD),
        }
        return type(cls.__name__, (cls,), facts)

    def run(self, series: Series) -> Iterator[Finding]:
        """The structures, the volume of each, and what a reader must know of them."""
        return segmented(series, self.described, self.network)
