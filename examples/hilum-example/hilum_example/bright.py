"""A module: how much of the volume is brighter than its mean."""

from collections.abc import Iterator

import numpy as np

from hilum import Box, Finding, Input, Measurement, Segment, Series, codes


class BrightPart:
    """It needs no network; its version stands for what it computes."""

    name, version, title = "bright-part", "1.0", "Bright part"
    needs = Input(modality="MR", slice_spacing=(0.5, 2.0))

    def run(self, series: Series) -> Iterator[Finding]:
        volume = series.volume()  # float32 (slices, rows, columns), affine in mm
        mask = volume.with_array(volume.array > volume.array.mean())
        bright = Segment(mask, codes.BRAIN, "Bright")
        yield bright
        yield Measurement(codes.VOLUME, bright.volume_ml, codes.MILLILITRE, of=bright)
        places = np.argwhere(mask.array)  # (slice, row, column) of each bright voxel
        ends = np.array([places.min(axis=0), places.max(axis=0)])
        first, last = volume.map_indices_to_reference(ends).tolist()  # (x, y, z) in mm
        yield Box((tuple(first), tuple(last)), codes.BRAIN, "Around the bright part")
