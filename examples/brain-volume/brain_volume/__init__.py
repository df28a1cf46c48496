"""The volume of the brain mask on a 3D T1 image of a head, and what part of it the hippocampi are.

The mask is deepbet's, so the measurement is named after it. There is no norm, because the volume
was compared with no reference.
"""

from collections.abc import Callable, Iterator

import numpy as np

from hilum_module import (
    Code,
    Finding,
    Findings,
    FindingsOf,
    Input,
    Measurement,
    Note,
    Refusal,
    Segment,
    Series,
    Volume,
    codes,
)

Outline = Callable[[Volume], np.ndarray | None]  # boolean, as the volume; None: no brain

SCHEME = "99BRAINVOLUME"
SHARES = {
    codes.LEFT: Code("share-left", SCHEME, "Left hippocampus as a share of the brain mask"),
    codes.RIGHT: Code("share-right", SCHEME, "Right hippocampus as a share of the brain mask"),
}
SHARE_OF_BOTH = Code("share-both", SCHEME, "Both hippocampi as a share of the brain mask")
# Wider than the brains of adults, of whom deepbet was made: what lies outside is a wrong mask.
BOUNDS_ML = (700.0, 2200.0)
# What a mask may cover of one side of the image: the brain stem alone leaves it, at the bottom.
LARGEST_CUT_MM2 = 2000.0
NO_REFERENCE = (
    "Brain mask by deepbet: its volume was compared with no reference, and there is no norm for it."
)
SHRINKING = (
    "A share hides atrophy where the whole brain shrinks: read it only beside the millilitres."
)


class BrainVolume:
    """Measures what deepbet takes for the brain.

    `outline` draws the mask; without one it is deepbet, which is loaded then.
    """

    name, version, title = "brain-volume", "0.1", "Volume of the brain mask (deepbet)"
    needs = {  # noqa: RUF012 - a module declares its needs so
        "head": Input(
            modality="MR",
            slice_spacing=(0.4, 2.0),
            pixel_spacing=(0.4, 2.0),
            extent=(110, 400),
            echo_time=(0, 20),  # ms; T2 and FLAIR images have echoes of 80 ms and more
            header={"MRAcquisitionType": "^3D$"},
            contrast=False,
        ),
        "hippocampi": FindingsOf("hippocampal-volume", optional=True),
    }

    def __init__(self, outline: Outline | None = None) -> None:
        if outline is None:
            from brain_volume.deep import Deepbet

            outline = Deepbet()
        self._outline = outline

    def run(self, head: Series, hippocampi: Findings | None) -> Iterator[Finding]:
        """The mask and its volume, with the shares of the hippocampi; or a refusal."""
        volume = head.volume()
        drawn = self._outline(volume)
        if drawn is None:
            yield Refusal("no-brain", "no brain was found in the image.")
            return
        mask = Segment(volume.with_array(drawn), codes.BRAIN, "Brain mask (deepbet)")
        if refusal := _refusal(mask):
            yield refusal
            return
        yield mask
        yield Measurement(codes.VOLUME, mask.volume_ml, codes.MILLILITRE, of=mask)
        yield Note(NO_REFERENCE)
        yield from _shares(hippocampi, mask.volume_ml)


def _refusal(mask: Segment) -> Refusal | None:
    """Why the mask cannot be that of a whole brain."""
    array, spacing = mask.mask.array, mask.mask.spacing
    for axis in range(3):
        pixel = mask.mask.voxel_volume / spacing[axis]
        for side in (0, -1):
            if array.take(side, axis).sum() * pixel > LARGEST_CUT_MM2:
                return Refusal("cut-off", "the image does not hold the whole brain.")
    low, high = BOUNDS_ML
    if low <= mask.volume_ml <= high:
        return None
    text = f"the brain mask of {mask.volume_ml:.0f} mL is not between {low:.0f} and {high:.0f} mL."
    return Refusal("implausible-volume", text)


def _shares(hippocampi: Findings | None, brain_ml: float) -> Iterator[Finding]:
    """What part of the mask each whole hippocampus is, and both; in per cent."""
    volumes = {}
    for one in hippocampi.measurements if hippocampi else ():
        of = one.of
        if isinstance(of, Segment) and of.code == codes.HIPPOCAMPUS and of.modifier is None:
            volumes[of.side] = one.value
    if set(volumes) != set(SHARES):
        return  # both were not found
    for side, code in SHARES.items():
        yield Measurement(code, 100 * volumes[side] / brain_ml, codes.PERCENT)
    yield Measurement(SHARE_OF_BOTH, 100 * sum(volumes.values()) / brain_ml, codes.PERCENT)
    yield Note(SHRINKING)
