"""Which values of a volume are shown black and white."""

import numpy as np

from hilum.dicom.series import Series

PERCENTILES = (1, 99.7)
MOST_VALUES = 1 << 20  # of a volume that are looked at; all of a whole body would take seconds


def header_window(series: Series) -> tuple[float, float] | None:
    """The window that the images of a CT name (PS3.3 C.11.2.1.2), the first of several.

    Of other modalities it is None: their windows are made for one image, not for the volume.
    """
    if series.modality != "CT":
        return None
    try:
        centre, width = (
            float(np.atleast_1d(np.array(series.header[keyword].value, dtype=float))[0])
            for keyword in ("WindowCenter", "WindowWidth")
        )
    except (KeyError, TypeError, ValueError, IndexError):
        return None
    if not (np.isfinite(centre) and np.isfinite(width)) or width < 1:
        return None
    return centre - width / 2, centre + width / 2


def window_of(series: Series, values: np.ndarray) -> tuple[float, float]:
    """That of a CT's header; else, or where it would show nothing, the range of `values`.

    Of many values, every nth counts; n is odd, so that no column of a usual image is left out.
    """
    some = values.reshape(-1)[:: values.size // MOST_VALUES | 1]
    low, high = (float(v) for v in np.percentile(some, PERCENTILES))
    stated = header_window(series)
    if stated and stated[0] < high and stated[1] > low:
        return stated
    return low, max(high, low + 1)
