"""What a network for volumes sees, and where its answer lies in the patient."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hilum.hosts.discovery import installed_module
from hilum.hosts.place import Place
from hilum.modules.volume.card import Patch, Voxels
from hilum.modules.volume.grid import NetworkGrid
from hilum.modules.volume.network import scaled
from hilum.modules.volume.pieces import without_small
from hilum.modules.volume.windows import over_all, windows

from .volumes import CARD, HERE, ball, model, oblique, places


@pytest.mark.parametrize("axes", ["RAS", "SPL", "ILA"])
def test_a_neighbour_is_that_of_the_patient(axes: str, tmp_path: Path) -> None:
    """A network that looks one voxel on along an axis moves its mask back by one voxel there."""
    axis = next(place for place, letter in enumerate(axes) if letter in "AP")
    card = CARD.replace('"RAS"', f'"{axes}"')
    models = model(tmp_path, card, HERE + (9, 3, 1)[axis], threshold=0.5)
    network = installed_module("bright-part", Place(models=models))().network  # type: ignore[attr-defined]
    volume = oblique()
    volume = volume.with_array((ball(volume, 5) > 0).astype(np.float32))
    grid = NetworkGrid(volume, Voxels(axes=axes))
    mask = grid.likeliest(network.on_grid(grid.sampled()))
    assert np.array_equal(mask.affine, volume.affine)
    shift = places(volume)[mask.array > 0].mean(0) - places(volume)[volume.array > 0].mean(0)
    towards = np.array([0, 1, 0]) if "A" in axes else np.array([0, -1, 0])
    assert shift @ towards == pytest.approx(np.linalg.norm(shift), rel=0.15), "posterior is +y"
    assert np.linalg.norm(shift) == pytest.approx(1.0, rel=0.01), "one voxel of that axis"


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 1.3, 3.1), (2.9, 2.2, 0.9)])
@pytest.mark.parametrize("axes", ["RAS", "SPL"])
def test_a_ball_comes_back_where_it_was(spacing: tuple[float, float, float], axes: str) -> None:
    """Oblique, of voxels with three different sides, onto another spacing and back."""
    volume = oblique((21, 38, 45))
    inside = ball(volume, 14.0)
    grid = NetworkGrid(
        volume.with_array(inside.astype(np.float32)), Voxels(axes=axes, spacing=spacing)
    )
    seen = grid.sampled()
    assert seen.shape == grid.shape
    assert grid.spacing == pytest.approx(spacing)
    mask = grid.above(seen, 0.0).array
    true = inside > 0
    assert 2 * (mask & true).sum() / (mask.sum() + true.sum()) > 0.97
    assert mask.sum() == pytest.approx(true.sum(), rel=0.03)
    off = places(volume)[mask].mean(0) - places(volume)[true].mean(0)
    assert np.abs(off).max() < 0.05, "mm"
    exponential = np.stack([1 / (1 + np.exp(seen)), 1 / (1 + np.exp(-seen))])
    assert grid.likeliest(exponential).array.sum() == pytest.approx(mask.sum(), rel=0.02)


def test_where_no_voxel_lies_between_nothing_is_resampled() -> None:
    volume = oblique()
    own = volume.to_patient_orientation("RAH").spacing
    values = np.random.default_rng(1).random(volume.array.shape, np.float32)
    grid = NetworkGrid(volume.with_array(values), Voxels(spacing=own, interpolation="cubic"))
    assert grid.is_that_of_source
    assert np.array_equal(grid.above(grid.sampled(), 0.5).array, values > 0.5)


@pytest.mark.parametrize("shape", [(7, 9, 5), (20, 33, 16), (16, 16, 16), (41, 17, 90)])
@pytest.mark.parametrize("blend", ["gaussian", "constant"])
def test_windows_say_the_same_as_the_whole(shape: tuple[int, int, int], blend: str) -> None:
    """Of what looks at a voxel alone, the mean of all windows is what it says of the whole."""
    image = np.random.default_rng(2).random(shape, np.float32)
    seen: list[tuple[int, ...]] = []

    def network(window: np.ndarray) -> np.ndarray:
        seen.append(window.shape)
        return np.stack([window, 2 * window - 1])

    patch = Patch.model_validate({"size": (16, 16, 16), "overlap": 0.6, "blend": blend})
    said = over_all(network, image, patch)
    assert np.allclose(said, [image, 2 * image - 1], atol=1e-5)
    assert set(seen) == {(16, 16, 16)}
    padded = tuple(max(16, n) for n in shape)
    places = list(windows(padded, (16, 16, 16), 0.6))
    assert len(places) == len(seen)
    counts = np.zeros(padded, int)
    for place in places:
        counts[place] += 1
    assert counts.min() > 0
    for axis in range(3):
        starts = sorted({place[axis].start for place in places})
        assert all(b - a <= 16 * 0.4 + 1 for a, b in pairwise(starts))


def test_a_whole_volume_is_filled_up_and_cut_again() -> None:
    image = np.ones((5, 8, 11), np.float32)
    seen: list[np.ndarray] = []

    def network(given: np.ndarray) -> np.ndarray:
        seen.append(given)
        return given[None]

    said = over_all(network, image, Patch(multiple=(4, 4, 4), pad=-1.0))
    assert seen[0].shape == (8, 8, 12)
    assert int((seen[0] == -1).sum()) == 8 * 8 * 12 - image.size
    assert np.array_equal(said[0], image)
    over_all(network, image, Patch(multiple=(4, 4, 4), pad="edge"))
    assert np.array_equal(seen[1], np.ones((8, 8, 12)))


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, [-100, 0, 0, 50, 300]),
        ({"clip": (-50, 150)}, [-50, 0, 0, 50, 150]),
        ({"clip": (-50, 150), "scale": "range"}, [0, 0.25, 0.25, 0.5, 1]),
        ({"percentiles": (25, 75), "scale": "range"}, [0, 0, 0, 1, 1]),
        ({"scale": "range"}, [0, 0.25, 0.25, 0.375, 1]),
        ({"scale": "fixed", "mean": 50, "std": 50}, [-3, -1, -1, 0, 5]),
        ({"scale": "volume"}, (np.array([-100, 0, 0, 50, 300]) - 50) / np.sqrt(18000)),
        ({"scale": "nonzero"}, [-1.1112, 0, 0, -0.2020, 1.3132]),
    ],
)
def test_values_are_scaled_as_the_card_says(
    said: dict[str, Any], expected: Sequence[float]
) -> None:
    values = np.array([-100, 0, 0, 50, 300], np.float32)[:, None, None]
    made = scaled(values, Voxels.model_validate(said))
    assert made.dtype == np.float32
    assert np.allclose(made.ravel(), expected, atol=1e-3)
    assert np.isfinite(scaled(np.full((2, 2, 2), 7.0), Voxels.model_validate(said))).all()


def test_pieces_that_do_not_count_are_left_out() -> None:
    mask = np.zeros((9, 9, 9), bool)
    mask[0:3, 0:3, 0:3] = True  # 27
    mask[3, 3, 3] = True  # at its corner: the same piece
    mask[6:8, 6:8, 6:8] = True  # 8
    mask[0, 8, 8] = True
    assert without_small(mask, 0, False).sum() == 37
    assert without_small(mask, 8, False).sum() == 36
    assert without_small(mask, 0, True).sum() == 28
    assert without_small(mask, 100, True).sum() == 0
    assert without_small(np.zeros((2, 2, 2), bool), 1, True).sum() == 0
