"""A single image, such as a radiograph, with the heat map that belongs to it."""

import numpy as np
from PIL import Image
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_rescale

from hilum.objects.report import Report

HOT = (255, 96, 32)
STRONGEST = 0.55  # opacity of the evidence; the image must stay readable beneath


def film(report: Report, width: int, height: int) -> Image.Image | None:
    """The image that the heat map names, else the middle one; None without a series or pixels."""
    series = report.analysis.series
    if series is None:
        return None
    heat = next(iter(report.analysis.findings.heat_maps), None)
    instance = series.instances[len(series.instances) // 2]
    if heat is not None:
        named = (i for i in series.instances if i.sop_instance_uid == heat.image)
        instance = next(named, instance)
    grey = _grey(instance.dataset())
    if grey is None:
        return None
    if heat is not None:
        size = (grey.shape[1], grey.shape[0])
        values = Image.fromarray(heat.values.astype(np.float32))
        weight = np.asarray(values.resize(size, Image.Resampling.BICUBIC)).clip(0, 1)[..., None]
        alpha = STRONGEST * weight
        grey = grey * (1 - alpha) + alpha * (np.array(HOT, dtype=np.float32) / 255)
    image = Image.fromarray((grey.clip(0, 1) * 255).astype(np.uint8))
    scale = min(width / image.width, height / image.height)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    return image.resize(size, Image.Resampling.BICUBIC)


def _grey(dataset: Dataset) -> np.ndarray | None:
    """(rows, columns, 3), 0-1, windowed to its own percentiles, bones white."""
    if "PixelData" not in dataset:
        return None
    pixels = dataset.pixel_array
    if dataset.get("SamplesPerPixel", 1) != 1:
        pixels = pixels.mean(axis=-1)
    if pixels.ndim == 3:
        pixels = pixels[len(pixels) // 2]
    values = np.asarray(apply_rescale(pixels, dataset), dtype=np.float32)
    low, high = np.percentile(values, (1, 99.7))
    values = ((values - low) / max(high - low, 1e-6)).clip(0, 1)
    if dataset.get("PhotometricInterpretation") == "MONOCHROME1":
        values = 1 - values
    return np.repeat(values[..., None], 3, axis=2)
