"""A computed radiograph of `phantom`: attenuation along each ray, then a digital detector.

Attenuation is that of one effective energy of a 120 kV beam; scatter is a blurred copy of the
primary beam, as behind a grid. The image says what it is beside the neck.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.fft import irfft2, rfft2
from scipy.ndimage import gaussian_filter

from hilum_lab.network.phantom import Phantom, phantom
from hilum_lab.network.projector import Interval, Projection, covered, length, rods

PITCH = 0.25  # mm between pixels; rays are twice as far apart
BITS = 12
TOP = 2**BITS - 1
HEIGHT = 384.0  # mm of the detector; its width is that of the view
LEGEND = "SYNTHETIC\nPHANTOM"

# 1/mm. Bones count by what they absorb more than the tissue in their place.
SOFT = 0.0185
LUNG = 0.23 * SOFT
CORTEX = 0.060 - SOFT
MARROW = 0.0245 - SOFT
SPINE = 0.004
PLATE = 3.0 * CORTEX  # a shoulder blade, whole

GRAIN = 0.018  # of the lungs, what the drawn vessels are too few for
BONE_GRAIN = 0.05
SCATTER, SCATTER_WIDTH = 0.36, 28.0  # of the primary beam; mm
BLUR = 0.18  # mm
NOISE = 0.006  # of the signal behind the mediastinum
SHARPENING, SHARPENED = 0.5, 6.0  # of structures smaller than so many mm
CONTRAST, MIDDLE = 3.6, 0.48  # of the tone curve
BORDER = 9.0  # mm covered by the collimator
LEAST_LUNG = 12.0  # mm on a ray that count as lung


@dataclass(frozen=True, eq=False)
class Radiograph:
    """`pixels` uint16 (rows, columns) of `BITS`, dense is bright; `lungs` bool of that shape."""

    pixels: np.ndarray
    lungs: np.ndarray


def expose(seed: int = 0, *, lateral: bool = False, turn: float = 0.0) -> Radiograph:
    """The chest of `seed` from behind or, if `lateral`, from its right, as a reader sees it.

    `turn` rotates the person by so many degrees, their left shoulder away from the detector.
    """
    rng = np.random.default_rng(seed)
    view = Projection(2 * PITCH, angle=(90.0 if lateral else 0.0) + turn)
    absorbed, lung = attenuation(phantom(seed, arms=not lateral), view, rng)
    absorbed, lung = (_enlarged(image)[: round(HEIGHT / PITCH)] for image in (absorbed, lung))
    grey = _bordered(_toned(_detected(absorbed, rng)), "" if lateral else "L", rng)
    return Radiograph(np.asarray((grey * TOP).round(), np.uint16), lung > LEAST_LUNG)


def attenuation(
    chest: Phantom, view: Projection, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Line integral of the attenuation, and mm of lung, of each ray: float32 (rows, columns)."""
    body = covered([solid.interval(view) for solid in chest.body])
    solids = [solid.interval(view) for solid in chest.solids]
    lung = np.zeros_like(body)
    for part in chest.lungs:
        interval = part.interval(view)
        lung += length(interval) - covered(solids, interval)
    aerated = lung * (1 + GRAIN * _grain(lung.shape, rng, view.pitch))
    # a vessel cannot be longer than the lung around it, and there is one before another
    aerated -= np.minimum(rods(chest.vessels, view), 0.5 * lung)
    gas = covered([solid.interval(view) for solid in chest.gas]) + rods(chest.airways, view)
    return SOFT * (body - gas) - (SOFT - LUNG) * aerated + _bones(chest, view, rng), lung


def _bones(chest: Phantom, view: Projection, rng: np.random.Generator) -> np.ndarray:
    """What bone absorbs more than the tissue in its place."""
    marrow = rods(chest.marrow, view)
    total = CORTEX * (rods(chest.cortex, view) - marrow).clip(0) + MARROW * marrow
    spine = chest.spine.interval(view)
    total += SPINE * length(spine)
    for disc in chest.discs:
        near = view.around(disc.centre, max(disc.radii))
        within: Interval = (spine[0][near.part], spine[1][near.part])
        total[near.part] -= SPINE * covered([disc.interval(near)], within)
    for outer, inner in chest.shells:
        near = view.around(outer.centre, max(outer.radii))
        hollow = length(inner.interval(near))
        total[near.part] += CORTEX * (length(outer.interval(near)) - hollow) + MARROW * hollow
    for corners in chest.plates:
        total += PLATE * _filled(corners, view)
    return np.asarray(total * (1 + BONE_GRAIN * _grain(total.shape, rng, view.pitch)))


def _filled(corners: np.ndarray, view: Projection) -> np.ndarray:
    """1 where a thin plate with these corners (n, 3) lies, its edge a little soft."""
    t, _ = view.turned(corners[:, 0], corners[:, 1])
    image = Image.new("L", (view.count, view.count))
    outline = np.stack([t + view.size / 2, view.size / 2 - corners[:, 2]], axis=1) / view.pitch
    ImageDraw.Draw(image).polygon([tuple(corner) for corner in outline], fill=255)
    mask = np.asarray(image, np.float32) / 255
    return np.asarray(gaussian_filter(mask, 1.5 / view.pitch, truncate=3))


def _grain(shape: tuple[int, ...], rng: np.random.Generator, pitch: float) -> np.ndarray:
    """Texture of unit variance with the same power in every octave from 1 to 16 mm."""
    across, down = np.fft.rfftfreq(shape[1], pitch), np.fft.fftfreq(shape[0], pitch)[:, None]
    frequency = np.hypot(across, down).clip(1 / 400)
    shaped = np.exp(-(frequency**2) - (1 / 16 / frequency) ** 2) / frequency
    noise = rfft2(rng.normal(size=shape).astype(np.float32), workers=2)
    texture = irfft2(noise * shaped.astype(np.float32), s=shape, workers=2)
    return np.asarray(texture / texture.std(), np.float32)


def _enlarged(image: np.ndarray) -> np.ndarray:
    """From the grid of the rays to that of the pixels."""
    size = (2 * image.shape[1], 2 * image.shape[0])
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def _detected(absorbed: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Optical density upside down: minus the logarithm of what reaches the detector."""
    primary = np.exp(-absorbed)
    spread = gaussian_filter(primary[::8, ::8], SCATTER_WIDTH / PITCH / 8, mode="nearest")
    size = (primary.shape[1], primary.shape[0])
    scatter = np.asarray(Image.fromarray(spread).resize(size, Image.Resampling.BICUBIC))
    signal = gaussian_filter(primary + SCATTER * scatter, BLUR / PITCH, truncate=3).clip(1e-4)
    quanta = rng.standard_normal(signal.shape, np.float32)  # relative noise falls with the root
    signal *= 1 + NOISE * np.sqrt(0.02 / signal) * quanta
    return np.asarray(-np.log(signal))


def _toned(dense: np.ndarray) -> np.ndarray:
    """Detail enhancement and an S-shaped tone curve to 0-1, as devices do before they send."""
    few = (dense.shape[1] // 4, dense.shape[0] // 4)
    coarse = np.asarray(Image.fromarray(dense).resize(few, Image.Resampling.BOX))
    smooth = gaussian_filter(coarse, SHARPENED / PITCH / 4, truncate=3)
    size = (dense.shape[1], dense.shape[0])
    dense = dense + SHARPENING * (
        dense - np.asarray(Image.fromarray(smooth).resize(size, Image.Resampling.BICUBIC))
    )
    low, high = np.percentile(dense[::4, ::4], (0.5, 99.8))
    tone = 1 / (1 + np.exp(-CONTRAST * ((dense - low) / (high - low) - MIDDLE)))
    ends = 1 / (1 + np.exp(-CONTRAST * (np.array([0, 1]) - MIDDLE)))
    return np.asarray(((tone - ends[0]) / np.ptp(ends)).clip(0, 1))


def _bordered(grey: np.ndarray, marker: str, rng: np.random.Generator) -> np.ndarray:
    """Cut by a collimator that is never quite straight; lead marker; what the image is.

    The words stand in the air beside the neck, where cropping to the exposed field keeps them.
    """
    rows, columns = grey.shape
    edge = BORDER / PITCH
    right, bottom = columns - edge, rows - edge
    corners = np.array([(edge, edge), (right, edge), (right, bottom), (edge, bottom)])
    opening = Image.new("L", (columns, rows))
    moved = corners + rng.uniform(-3, 3, corners.shape)
    ImageDraw.Draw(opening).polygon([tuple(corner) for corner in moved], fill=255)
    words = Image.new("L", (columns, rows))
    draw = ImageDraw.Draw(words)
    draw.text((right - 150, edge + 90), marker, 240, ImageFont.load_default(80))
    draw.text((edge + 50, edge + 60), LEGEND, 200, ImageFont.load_default(40))
    shown = grey * (np.asarray(opening, np.float32) / 255)
    return np.asarray(np.maximum(shown, np.asarray(words, np.float32) / 255))
