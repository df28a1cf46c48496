"""A network of one's own for volumes: what it sees, and where its answer lies in the patient."""

import re
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from highdicom import Volume
from pydicom.sr.coding import Code

from hilum.config.site import Worker
from hilum.dicom import codes
from hilum.engine import exchange
from hilum.errors import ConfigurationError, ModuleError
from hilum.findings import Findings, LabelMap, Note
from hilum.hosts import Place, in_child, open_host
from hilum.module import discover, facts_of, installed_module
from hilum.modules.hippocampus import HippocampalVolume
from hilum.modules.volume.card import Patch, VolumeCard, Voxels
from hilum.modules.volume.grid import NetworkGrid
from hilum.modules.volume.network import VolumeNetwork, scaled
from hilum.modules.volume.pieces import without_small
from hilum.modules.volume.windows import over_all, windows
from hilum.testing import check_module, job_of, write_series

from .hippocampi import dice, series_of, written
from .tiny_onnx import write_volume_network

CARD = """\
module = "volume"
name = "bright-part"
version = "2"
title = "Bright part"
licence = "ours"
basis = "What is brighter than 500."
warnings = ["Not tested at this hospital."]

[input]
modality = "MR"

[voxels]
axes = "RAS"

[output]
name = "said"
channels = 2

[[label]]
number = 1
label = "Spleen"
"""
GUIDE = Path(__file__).parents[2] / "docs/how-to/bring-your-own-model.md"
HERE = 13  # of 27: the voxel itself
ANTERIOR = 16  # its neighbour to anterior, where the axes are RAS
FREE: list[int | str] = ["x", "y", "z"]


def kernel(place: int = HERE, weight: float = 1.0) -> list[float]:
    """One weight of a 3 x 3 x 3 convolution."""
    return [weight if place == index else 0.0 for index in range(27)]


def model(folder: Path, card: str = CARD, place: int = HERE, threshold: float = 500) -> Path:
    """A folder of models with one network in it: channel 1 wins where a voxel is bright."""
    ours = folder / "models" / "ours"
    ours.mkdir(parents=True)
    (ours / "card.toml").write_text(card)
    kernels = [kernel(place, -1.0), kernel(place)]
    write_volume_network(ours / "network.onnx", kernels, [threshold, -threshold], FREE)
    return ours.parent


def with_label(extra: str) -> str:
    return CARD + extra


def affine(*columns: Sequence[float]) -> np.ndarray:
    made = np.eye(4)
    made[:3, :3] = np.array(columns).T
    made[:3, 3] = (-30.0, 12.0, 7.0)
    return made


OBLIQUE = affine((0.3, -0.5, 1.9), (0.1, 0.95, 0.23), (-0.75, 0.1, 0.2))


def oblique(shape: tuple[int, int, int] = (11, 24, 17)) -> Volume:
    """Voxels of 2 x 1 x 0.8 mm on a grid that lies along no axis of the patient."""
    turned, _ = np.linalg.qr(OBLIQUE[:3, :3])
    turned *= np.sign(np.diag(turned.T @ OBLIQUE[:3, :3]))
    placed = affine(2.0 * turned[:, 0], 1.0 * turned[:, 1], 0.8 * turned[:, 2])
    return Volume(np.zeros(shape, np.float32), placed, coordinate_system="PATIENT")


def placed(values: np.ndarray) -> Volume:
    """Voxels with these values, on the grid of `oblique`."""
    slices, rows, columns = values.shape
    return oblique((slices, rows, columns)).with_array(values.astype(np.float32))


def places(volume: Volume) -> np.ndarray:
    """Where each voxel lies in the patient, LPS mm: (slices, rows, columns, 3)."""
    indices = np.moveaxis(np.indices(volume.array.shape), 0, -1)
    return np.asarray(indices @ volume.affine[:3, :3].T + volume.affine[:3, 3])


def ball(volume: Volume, radius: float) -> np.ndarray:
    """Millimetres by which each voxel lies inside a ball around the middle of the volume."""
    where = places(volume)
    middle = (where[0, 0, 0] + where[-1, -1, -1]) / 2
    return np.asarray(radius - np.linalg.norm(where - middle, axis=-1))


def test_a_module_of_a_card_keeps_the_contract(tmp_path: Path) -> None:
    """Above 500: the bright half of the sample, in millilitres, on its own grid."""
    models = model(tmp_path)
    module = installed_module("bright-part", models)
    files = write_series(tmp_path / "exam")
    found = check_module(module, files)
    (structure,) = found.segments
    assert structure.label == "Spleen"
    assert structure.code == Code("78961009", "SCT", "Spleen")
    series = module.needs.read(job_of(module, files, tmp_path).inputs["series"])  # type: ignore[union-attr]
    bright = series.volume().array > 500  # type: ignore[union-attr]
    assert np.array_equal(structure.inside(np.s_[:, :, :]), bright)
    assert [m.value for m in found.measurements] == [pytest.approx(bright.sum() / 1000)]
    notes = [finding.text for finding in found.items if isinstance(finding, Note)]
    assert notes == ["What is brighter than 500.", "Not tested at this hospital."]


def test_it_runs_in_a_child_behind_walls(tmp_path: Path) -> None:
    models = model(tmp_path)
    job = job_of(installed_module("bright-part", models), write_series(tmp_path / "exam"), tmp_path)
    host = open_host(in_child("bright-part"), Place(Worker(memory_mb=2048), models))
    try:
        host.run(job)
    finally:
        host.close()
    assert exchange.load(tmp_path).segments[0].voxels > 0


@pytest.mark.parametrize("axes", ["RAS", "SPL", "ILA"])
def test_a_neighbour_is_that_of_the_patient(axes: str, tmp_path: Path) -> None:
    """A network that looks one voxel along an axis moves its mask by one voxel, by the geometry."""
    volume = oblique()
    volume = volume.with_array((ball(volume, 5) > 0).astype(np.float32))
    grid = NetworkGrid(volume, Voxels(axes=axes))
    moved = np.roll(grid.sampled(), -1, axis=axes.index(next(a for a in "AP" if a in axes)))
    mask = grid.above(moved, 0.5)
    assert np.array_equal(mask.affine, volume.affine)
    shift = places(volume)[mask.array].mean(0) - places(volume)[volume.array > 0].mean(0)
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


def found_by(tmp_path: Path, card: str, voxels: np.ndarray) -> Findings:
    """What the network of `card` finds in an oblique MR series with these values."""
    module = installed_module("bright-part", model(tmp_path, card))
    series = written(placed(voxels), tmp_path / "exam")
    return Findings(tuple(module().run(series)))


def two_pieces() -> np.ndarray:
    values = np.zeros((12, 14, 16))
    values[2:8, 2:8, 2:8] = 900
    values[10:, 12, 3] = 900
    return values


def test_labels_say_which_pieces_count_and_what_must_be_whole(tmp_path: Path) -> None:
    small = 'keep = "all"\nmin_ml = 0.1\nwhole = true\n'
    found = found_by(tmp_path / "a", CARD + small, two_pieces())
    assert found.segments[0].voxels == 6**3
    assert not [f for f in found.items if isinstance(f, Note) and f.caution]
    cut_off = found_by(tmp_path / "b", CARD + "whole = true\n", two_pieces())
    assert cut_off.segments[0].voxels == 6**3 + 2
    (caution,) = [f.text for f in cut_off.items if isinstance(f, Note) and f.caution]
    assert caution == "Spleen reaches the edge of the images and may be cut off"


def test_structures_may_overlap_where_each_has_its_own_threshold(tmp_path: Path) -> None:
    card = CARD.replace("channels = 2", 'channels = 2\nactivation = "sigmoid"') + (
        '\n[[label]]\nnumber = 0\nlabel = "Left kidney"\n'
    )
    found = found_by(tmp_path, card, two_pieces())
    spleen, kidney = found.segments
    assert (kidney.code.meaning, kidney.side) == ("Kidney", codes.LEFT)
    assert not [f for f in found.items if isinstance(f, LabelMap)]
    assert spleen.voxels == 6**3 + 2
    assert kidney.voxels == 12 * 14 * 16 - spleen.voxels
    assert spleen.colour != kidney.colour


def test_nothing_found_is_a_volume_of_zero(tmp_path: Path) -> None:
    found = found_by(tmp_path, CARD, np.zeros((4, 5, 6)))
    assert [m.value for m in found.measurements] == [0.0]


def test_our_own_network_gives_the_same_by_a_card(folder: Path, tmp_path: Path) -> None:
    """The hippocampus, by a card instead of by code: the same label in each voxel."""
    card = CARD.replace("channels = 2", "channels = 3").replace('"said"', '"logits"')
    card = card.replace('axes = "RAS"', 'axes = "RAS"\npercentiles = [0.5, 99.5]\nscale = "volume"')
    card += '\n[[label]]\nnumber = 2\nlabel = "Pancreas"\n'
    card += '[patch]\nmultiple = [8, 8, 8]\npad = "edge"\n'
    (tmp_path / "card.toml").write_text(card)
    (tmp_path / "network.onnx").write_bytes(HippocampalVolume.weights.read_bytes())
    described = VolumeCard.read(tmp_path)
    ours = VolumeNetwork(tmp_path, described, 2)
    volume = series_of(folder).volume()
    grid = NetworkGrid(volume, described.voxels)
    found = grid.likeliest(ours.on_grid(grid.sampled())).array
    segment = HippocampalVolume(threads=2).segment
    theirs = segment(volume)
    by_code = theirs.on_grid(theirs.logits.argmax(0).astype(np.uint16)).array
    for number in (1, 2):  # a hair's breadth: the card fills up on both sides, the code on one
        assert dice(found == number, by_code == number) > 0.995


def test_the_known_answer_is_asked_for_before_anything_else(tmp_path: Path) -> None:
    models = model(tmp_path, CARD + "\n[test]\n")
    voxels = two_pieces().astype(np.float32)
    known = models / "ours" / "known.npz"
    np.savez(known, voxels=voxels, labels=(voxels > 500).astype(np.uint8))
    module = installed_module("bright-part", models)
    module()
    before = facts_of(module).weights_sha256
    np.savez(known, voxels=voxels, labels=np.roll(voxels > 500, 1, axis=0))
    assert facts_of(module).weights_sha256 != before
    with pytest.raises(ConfigurationError, match=r"Spleen is found with a Dice .* 0\.83.* 0\.99"):
        module()
    known.write_bytes(b"no archive")
    with pytest.raises(ConfigurationError, match="holds no voxels and labels"):
        module()
    known.unlink()
    assert "there is no such file" in discover(models)[1]["ours"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"RAS"', '"RAL"', "axes names each direction of the patient once"),
        ('label = "Spleen"', 'label = "Gut"', "no one code is called 'Gut'"),
        ('label = "Spleen"', 'label = "Femur Length"', 'such as value = "11963-6"'),
        ('label = "Spleen"', 'label = "Spleen"\nvalue = "1"', "needs value, scheme and meaning"),
        (
            'label = "Spleen"',
            'label = "Hippocampus"\nvalue = "78961009"\nscheme = "SCT"\nmeaning = "Hippocampus"',
            r"\(78961009, SCT\) means .*'Spleen'.*, not 'Hippocampus'",
        ),
        ("number = 1", "number = 2", "the numbers of 2 channels begin at 0"),
        ("number = 1", "number = 0", "channel 0 is the background"),
        ("channels = 2", "channels = 1", "softmax needs two channels"),
        ('axes = "RAS"', 'units = "suv"', "SUV is for modality"),
        ('axes = "RAS"', "clip = [5, 1]", "the lower one"),
        ('axes = "RAS"', "clip = [1, 5]\npercentiles = [1, 99]", "exclude each other"),
        ('axes = "RAS"', "mean = 3.0", "mean and std are for scale"),
        ('modality = "MR"', 'modalities = ["MR"]', "a volume is needed"),
        ('modality = "MR"', 'modality = "MR"\nslice = 3', "unknown key slice"),
        ('title = "Bright part"', 'title = "Bright part"\nfile = "../x"', "beside the card"),
    ],
)
def test_a_wrong_card_is_refused_with_the_reason(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    assert old in CARD
    problems = discover(model(tmp_path, CARD.replace(old, new)))[1]
    assert re.search(said, problems["ours"]), problems


def test_the_codes_that_a_refusal_proposes_are_taken(tmp_path: Path) -> None:
    (tmp_path / "wrong").mkdir()
    unclear = CARD.replace('label = "Spleen"', 'label = "Pancreas report"')
    text = discover(model(tmp_path / "wrong", unclear))[1]["ours"]
    proposed = re.search(r"such as (value = .*?, scheme = .*?, meaning = \"[^\"]*\")", text)
    assert proposed, text
    cured = unclear + proposed[1].replace(", ", "\n") + "\n"
    assert "bright-part" in discover(model(tmp_path, cured))[0]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('name = "said"', 'name = "other"', "an output 'other', the file has only said"),
        ("channels = 2", "channels = 3", r"an output \[1, 3, any, any, any\]"),
    ],
)
def test_a_file_that_is_not_what_the_card_says_does_not_load(
    old: str, new: str, said: str, tmp_path: Path
) -> None:
    module = installed_module("bright-part", model(tmp_path, CARD.replace(old, new)))
    with pytest.raises(ConfigurationError, match=said):
        module()


def test_the_guide_shows_a_card_that_works(tmp_path: Path) -> None:
    (text,) = re.findall(r"```toml\n(module = \"volume.*?)```", GUIDE.read_text(), re.DOTALL)
    models = model(tmp_path, text)
    ours = models / "ours"
    kernels = [kernel(HERE, weight) for weight in (-1.0, 1.0, 0.0)]
    write_volume_network(ours / "network.onnx", kernels, [0.5, -0.5, -9.0], [96, 96, 96])
    voxels = np.linspace(-200, 300, 96**3, dtype=np.float32).reshape(96, 96, 96)
    np.savez(ours / "known.npz", voxels=voxels, labels=((voxels + 57) / 221 > 0.5).astype(int))
    found, problems = discover(models)
    assert problems == {}
    assert found["abdomen"]().described.test, "it was found again"  # type: ignore[attr-defined]


def test_values_that_are_none_are_no_result(tmp_path: Path) -> None:
    models = model(tmp_path, threshold=float("nan"))
    module = installed_module("bright-part", models)
    with pytest.raises(ModuleError, match="not finite"):
        module().network.on_grid(np.zeros((4, 4, 4), np.float32))  # type: ignore[attr-defined]
