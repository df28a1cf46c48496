"""From the images to what a network for volumes finds in them, wherever it is computed."""

from collections.abc import Iterator

import numpy as np
from highdicom import Volume

from hilum.dicom import codes
from hilum.dicom.series import Series
from hilum.findings import Finding, LabelMap, Measurement, Note, Segment, Structure
from hilum.module.structures import UNNUMBERED
from hilum.modules.volume.card import NetworkLabel, SegmentationCard
from hilum.modules.volume.grid import NetworkGrid
from hilum.modules.volume.network import SegmentationNetwork
from hilum.modules.volume.pieces import reaches_edge, without_small


def segmented(
    series: Series, card: SegmentationCard, network: SegmentationNetwork
) -> Iterator[Finding]:
    """The structures, the volume of each, and what a reader must know of them."""
    volume = series.volume()
    if card.voxels.units == "suv":
        volume = volume.with_array(volume.array * np.float32(series.suv_factor))
    grid = NetworkGrid(volume, card.voxels)
    said = network.on_grid(grid.sampled())
    structures: list[Structure] = []
    for finding in _found(card, grid, said):
        yield finding
        structures += finding.segments if isinstance(finding, LabelMap) else (finding,)
    for label, structure in zip(card.label, structures, strict=True):
        yield Measurement(codes.VOLUME, structure.volume_ml, codes.MILLILITRE, structure)
        if label.whole and reaches_edge(structure):
            yield Note(
                f"{structure.name} reaches the edge of the images and may be cut off", caution=True
            )
    yield Note(card.basis)
    yield from (Note(warning) for warning in card.warnings)


def _found(
    card: SegmentationCard, grid: NetworkGrid, said: np.ndarray
) -> Iterator[LabelMap | Segment]:
    """One label map where no voxel belongs to two structures, else a segment for each."""
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
