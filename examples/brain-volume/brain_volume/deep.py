"""The brain mask by deepbet (Fisch et al. 2024, doi 10.1016/j.compbiomed.2024.108845)."""

import nibabel
import numpy as np
from deepbet import BrainExtraction

from hilum_module import Volume

RAS_OF_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


class Deepbet:
    """Both networks of deepbet, loaded once from the weights in its wheel; on processors only."""

    def __init__(self) -> None:
        self._extraction = BrainExtraction(no_gpu=True)

    def __call__(self, volume: Volume) -> np.ndarray | None:
        """True where the brain is, of the shape of `volume`; None if there is no brain in it."""
        image = nibabel.Nifti1Image(volume.array, RAS_OF_LPS @ volume.affine)
        try:
            _, mask, _ = self._extraction.run(image)
        except (AssertionError, ValueError):  # what deepbet raises where its mask is empty
            return None
        return np.asarray(mask.dataobj) > 0
