"""The segmentation network: intensities in, label map and probabilities out (ONNX Runtime)."""

import numpy as np


def normalise(voxels: np.ndarray) -> np.ndarray:
    """Clip to the 0.5th and 99.5th percentile and z-score; MR intensities have no unit.

    Training and inference both call this, so they cannot drift apart.
    """
    low, high = map(float, np.percentile(voxels, (0.5, 99.5)))
    clipped = np.clip(voxels.astype(np.float32), low, high)
    return (clipped - clipped.mean()) / max(float(clipped.std()), 1e-6)
