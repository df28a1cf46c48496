"""From the stored pixels of one grey image to what a reader sees, in full depth.

The order is that of PS3.4 N.2.1: Modality LUT, VOI LUT, then the inversion of MONOCHROME1, which
PS3.3 C.7.6.3.1.2 puts after every VOI transformation.
"""

from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from hilum.dicom.functional_groups import of_classic
from hilum.dicom.header import HOSTILE
from hilum.dicom.pixels import StoredFrames
from hilum.dicom.values import Rescale, looked_up
from hilum.errors import UnreadableError

MOST_CLIPPED = 0.5  # of the pixels between the film's own extremes
INVISIBLE = 1 / 256  # of the output range: black or white on any screen


@dataclass(frozen=True, eq=False)
class Presentation:
    """What a reader sees of one grey image.

    `values` is float32 (rows, columns), dense is bright, the range arbitrary; `ignored` says why
    the VOI LUT or window of the header was left out, None if it was applied or there is none.
    """

    values: np.ndarray
    ignored: str | None = None


def presentation(stored: StoredFrames) -> Presentation:
    """The presentation of the one grey frame of an image; raises `UnreadableError`."""
    pixels, header = stored.frame(), stored.header
    with stored.named("the pixel padding value is broken"):
        padding = _padding(pixels, header)
        if padding.all():
            raise UnreadableError("it is nothing but padding")
    with stored.named("the modality LUT or rescale is broken"):
        values = _after_modality(pixels, stored)
    with stored.named("the VOI LUT is broken"):
        shown, ignored = _after_voi(values, ~padding, stored)
    with stored.named("the photometric interpretation is broken"):
        if is_inverse(header):
            shown = shown.max() - shown
        if not np.isfinite(shown).all():
            raise UnreadableError("it has pixels without a finite value")
        shown[padding] = shown[~padding].min()  # dark, whichever way the film is stored
        return Presentation(np.asarray(shown, np.float32), ignored)


def is_inverse(dataset: Dataset) -> bool:
    """Whether the lowest value is shown white.

    PS3.3 C.8.11.3.1.2 wants INVERSE with MONOCHROME1 and IDENTITY with MONOCHROME2, so both say one
    thing and it is done once; where they contradict each other one of them was forgotten.
    """
    polarity = {dataset.get("PhotometricInterpretation"), dataset.get("PresentationLUTShape")}
    return bool(polarity & {"MONOCHROME1", "INVERSE"})


def _padding(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Where pixels were added to make the image a rectangle (PS3.3 C.7.5.1.1.2).

    Only what hangs together with the edge: some devices name a value that tissue has as well.
    """
    value = dataset.get("PixelPaddingValue")
    if value is None or stored.dtype.kind not in "ui":
        return np.zeros(stored.shape, bool)
    # Here, because the receiver imports this file and its memory is limited: scipy takes 80 MiB.
    from scipy.ndimage import label

    limit = dataset.get("PixelPaddingRangeLimit")
    ends = sorted(_as_stored(v, stored.dtype) for v in (value, value if limit is None else limit))
    pieces, _ = label((stored >= ends[0]) & (stored <= ends[1]))
    edge = np.concatenate([pieces[0], pieces[-1], pieces[:, 0], pieces[:, -1]])
    return np.isin(pieces, edge[edge > 0])


def _as_stored(value: int | bytes, dtype: np.dtype) -> int:
    """A padding value in the type of the pixels; its sign is often lost with its VR."""
    if isinstance(value, bytes):  # an ambiguous VR that nobody resolved
        value = int.from_bytes(value[:2], "little")
    bits: int = 8 * dtype.itemsize
    wrapped = int(value) % (1 << bits)
    negative = dtype.kind == "i" and wrapped >> (bits - 1)
    return wrapped - (1 << bits) if negative else wrapped


def _after_modality(pixels: np.ndarray, stored: StoredFrames) -> np.ndarray:
    """Modality LUT or rescale (PS3.3 C.11.1): integers as long as nothing makes them fractions."""
    dataset = stored.header
    if dataset.get("ModalityLUTSequence"):
        return looked_up(pixels, dataset.ModalityLUTSequence[0], stored.order)[0]
    rescale = Rescale.of(of_classic(dataset))
    if rescale.problem is None and (rescale.slope, rescale.intercept) == (1, 0):
        return pixels
    return rescale(pixels)


def _after_voi(
    values: np.ndarray, real: np.ndarray, stored: StoredFrames
) -> tuple[np.ndarray, str | None]:
    """First VOI LUT, else first window, else neither (PS3.3 C.11.2); and why one was ignored.

    One that would leave most of the `real` pixels black or white is ignored: the depth they were
    stored with is worth more than the header's idea of a window.
    """
    dataset = stored.header
    if dataset.get("VOILUTSequence"):
        item = dataset.VOILUTSequence[0]
        name, (shown, top) = "VOI LUT", looked_up(values, item, stored.order)
        shown = shown / np.float32(top)
    else:
        try:
            window = _window(dataset)
        except (*HOSTILE, UnreadableError):
            return values.astype(np.float32), "the window of the header is not usable"
        if window is None:
            return values.astype(np.float32), None
        name, shown = "window", _windowed(values, *window)
    before = values[real]
    between = (before > before.min()) & (before < before.max())
    after = shown[real][between]
    clipped = float(((after < INVISIBLE) | (after > 1 - INVISIBLE)).mean()) if after.size else 0.0
    if clipped > MOST_CLIPPED:
        share = f"{100 * clipped:.0f} %"
        return values.astype(np.float32), f"the {name} of the header would clip {share} of the film"
    return shown, None


def _window(dataset: Dataset) -> tuple[str, float, float] | None:
    """VOI LUT Function, centre and width of the first window, or None without one."""
    centre, width = (dataset.get(key) for key in ("WindowCenter", "WindowWidth"))
    if centre is None or width is None:
        return None
    centre, width = (float(np.atleast_1d(np.asarray(v, float))[0]) for v in (centre, width))
    function = str(dataset.get("VOILUTFunction") or "LINEAR").upper()
    least = 1.0 if function == "LINEAR" else 0.0
    if function not in ("LINEAR", "LINEAR_EXACT", "SIGMOID"):
        raise UnreadableError("unknown VOI LUT Function")
    if not np.isfinite([centre, width]).all() or width < least or width == 0:
        raise UnreadableError("no usable window")
    return function, centre, width


def _windowed(values: np.ndarray, function: str, centre: float, width: float) -> np.ndarray:
    """Float32 0-1, by the formulas of PS3.3 C.11.2.1.2.1 and C.11.2.1.3."""
    x = values.astype(np.float32)
    if function == "SIGMOID":
        exponent = np.clip(-4 * (x - centre) / width, -80, 80)
        return np.asarray(1 / (1 + np.exp(exponent)), np.float32)
    if function == "LINEAR":
        centre, width = centre - 0.5, max(width - 1, 1e-3)  # a width of 1 is a threshold
    return np.asarray(np.clip((x - centre) / width + 0.5, 0, 1), np.float32)
