"""A network of one's own for volumes: described by a card, checked before it is used."""

import re
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from pydicom.sr.coding import Code

from hilum.config.site import Worker
from hilum.dicom import codes
from hilum.engine import exchange
from hilum.errors import ConfigurationError, ModuleError
from hilum.findings import Findings, LabelMap, Note
from hilum.hosts import Place, in_child, open_host
from hilum.hosts.discovery import discover, installed_module
from hilum.module import facts_of
from hilum.modules.hippocampus import HippocampalVolume
from hilum.modules.volume.card import VolumeCard
from hilum.modules.volume.grid import NetworkGrid
from hilum.modules.volume.network import VolumeNetwork
from hilum.testing import check_module, job_of, write_series

from .hippocampi import dice, series_of, written
from .tiny_onnx import write_volume_network
from .volumes import CARD, HERE, kernel, model, placed

GUIDE = Path(__file__).parents[2] / "docs/how-to/bring-your-own-model.md"


def test_a_module_of_a_card_keeps_the_contract(tmp_path: Path) -> None:
    """Above 500: the bright half of the sample, in millilitres, on its own grid."""
    models = model(tmp_path)
    module = installed_module("bright-part", Place(models=models))
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
    job = job_of(
        installed_module("bright-part", Place(models=models)),
        write_series(tmp_path / "exam"),
        tmp_path,
    )
    host = open_host(in_child("bright-part"), Place(Worker(memory_mb=2048), models))
    try:
        host.run(job)
    finally:
        host.close()
    assert exchange.load(tmp_path).segments[0].voxels > 0


def found_by(tmp_path: Path, card: str, voxels: np.ndarray) -> Findings:
    """What the network of `card` finds in an oblique MR series with these values."""
    module = installed_module("bright-part", Place(models=model(tmp_path, card)))
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
    module = installed_module("bright-part", Place(models=models))
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
    assert "there is no such file" in discover(Place(models=models))[1]["bright-part"]


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
    problems = discover(Place(models=model(tmp_path, CARD.replace(old, new))))[1]
    assert re.search(said, problems["bright-part"]), problems


def test_the_codes_that_a_refusal_proposes_are_taken(tmp_path: Path) -> None:
    (tmp_path / "wrong").mkdir()
    unclear = CARD.replace('label = "Spleen"', 'label = "Pancreas report"')
    text = discover(Place(models=model(tmp_path / "wrong", unclear)))[1]["bright-part"]
    proposed = re.search(r"such as (value = .*?, scheme = .*?, meaning = \"[^\"]*\")", text)
    assert proposed, text
    cured = unclear + proposed[1].replace(", ", "\n") + "\n"
    assert "bright-part" in discover(Place(models=model(tmp_path, cured)))[0]


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
    module = installed_module("bright-part", Place(models=model(tmp_path, CARD.replace(old, new))))
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
    found, problems = discover(Place(models=models))
    assert problems == {}
    assert found["abdomen"]().described.test, "it was found again"  # type: ignore[attr-defined]


def test_values_that_are_none_are_no_result_and_told_in_words(tmp_path: Path) -> None:
    models = model(tmp_path, threshold=float("nan"))
    module = installed_module("bright-part", Place(models=models))
    job = job_of(module, write_series(tmp_path / "exam", 3), tmp_path)
    with (
        closing(open_host(in_child("bright-part"), Place(Worker(), models))) as host,
        pytest.raises(ModuleError, match=r"^bright-part gave values that are not finite$"),
    ):
        host.run(job)
