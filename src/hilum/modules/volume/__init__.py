"""The format "volume": a network of the site for volumes, as an ONNX file with a card."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import numpy as np
from highdicom import Volume

from hilum.dicom import codes
from hilum.dicom.series import Series
from hilum.errors import ConfigurationError
from hilum.findings import Finding, LabelMap, Measurement, Note, Segment, Structure
from hilum.module import CARD, Input
from hilum.module.structures import UNNUMBERED
from hilum.modules.volume.card import NetworkLabel, VolumeCard
from hilum.modules.volume.grid import NetworkGrid
from hilum.modules.volume.network import VolumeNetwork
from hilum.modules.volume.pieces import reaches_edge, without_small


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
            "described": card,
            "folder": folder,
            "needs": card.input,
            "name": card.name,
            "version": card.version,
            "title": card.title,
            "weights": (*files, folder / CARD),
        }
        if (folder / "card.md").is_file():
            facts["card"] = folder / "card.md"
        return type(cls.__name__, (cls,), facts)

    def run(self, series: Series) -> Iterator[Finding]:
        """The structures, the volume of each, and what a reader must know of them."""
        volume = series.volume()
        if self.described.voxels.units == "suv":
            volume = volume.with_array(volume.array * np.float32(series.suv_factor))
        grid = NetworkGrid(volume, self.described.voxels)
        said = self.network.on_grid(grid.sampled())
        structures: list[Structure] = []
        for finding in self._found(grid, said):
            yield finding
            structures += finding.segments if isinstance(finding, LabelMap) else (finding,)
        for label, structure in zip(self.described.label, structures, strict=True):
            yield Measurement(codes.VOLUME, structure.volume_ml, codes.MILLILITRE, structure)
            if label.whole and reaches_edge(structure):
                text = f"{structure.name} reaches the edge of the images and may be cut off"
                yield Note(text, caution=True)
        yield Note(self.described.basis)
        yield from (Note(warning) for warning in self.described.warnings)

    def _found(self, grid: NetworkGrid, said: np.ndarray) -> Iterator[LabelMap | Segment]:
        """One label map where no voxel belongs to two structures, else a segment for each."""
        card = self.described
        lines = [label.line(label.number or UNNUMBERED) for label in card.label]
        if not card.output.is_exclusive:
            for label, line in zip(card.label, lines, strict=True):
                mask = grid.above(said[label.number], card.output.threshold)
                yield Segment(
                    mask.with_array(_counted(mask.array, label, mask)),
                    line.code,
                    line.label,
                    line.modifier,
                    line.side,
                    line.category,
                    line.shown_colour,
                )
            return
        numbers = grid.likeliest(said)
        array = np.zeros_like(numbers.array)
        for label in card.label:
            found = numbers.array == label.number
            array[_counted(found, label, numbers)] = label.number
        yield LabelMap(numbers.with_array(array), tuple(lines))


def _counted(mask: np.ndarray, label: NetworkLabel, grid: Volume) -> np.ndarray:
    """The voxels of `mask` that count by what the card says of their pieces."""
    if label.keep == "all" and not label.min_ml:
        return mask
    least = 1000 * label.min_ml / float(grid.voxel_volume)
    return without_small(mask, least, label.keep == "largest")
