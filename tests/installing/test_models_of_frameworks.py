"""What is read of a MONAI bundle and of an nnU-Net, and how their labels become structures."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np
import pytest
import SimpleITK

from hilum.environments import Environment
from hilum.environments.recipe import Recipe, recipe_of
from hilum.errors import ConfigurationError
from hilum.hosts.discovery import discover
from hilum.hosts.place import Place
from hilum.installing import Wanted, add
from hilum.testing import check_module, write_series
from hilum_module import Volume
from hilum_module.errors import ModelError
from hilum_module.models import ModelModule, Plan, nifti
from hilum_module.models.axes import DIRECTIONS, Laid
from hilum_module.models.nnunet import require_one_stage
from hilum_module.places import where
from tests.modules import volumes
from tests.voxels import series_of

from .frameworks import IMAGE, METADATA, NNUNET_CARD, RESULT, write_bundle, write_nnunet

LIVER = """\
[[label]]
name = "spleen"
label = "Liver"
value = "10200004"
scheme = "SCT"
meaning = "Liver"
"""


def data_format(**changes: Any) -> dict[str, Any]:
    """`network_data_format` with other values for the image or the result."""
    image, result = {**IMAGE, **changes.get("image", {})}, {**RESULT, **changes.get("result", {})}
    return {"inputs": {"image": image}, "outputs": {"pred": result}}


def recipe(folder: Path) -> Recipe:
    made = recipe_of(folder)
    assert made
    return made


def test_a_bundle_says_itself_what_it_is(tmp_path: Path) -> None:
    made = recipe(write_bundle(tmp_path))
    card = made.card
    assert (card.name, card.version, card.title) == ("bright-spleen", "0.1.0", "Bright spleen")
    assert (card.input.modality, card.basis) == ("MR", "A test.")
    assert made.structures == ("Spleen: (78961009, SCT, Spleen)",)
    assert set(made.requirements) == {
        "monai==1.6.1",
        "torch==2.13.0+cpu",
        "numpy==2.4.6",
        "nibabel==5.4.2",
        "pytorch-ignite==0.5.5",
    }
    assert made.options["override"] == {"dataloader#num_workers": 0}


def test_a_card_may_say_it_otherwise(tmp_path: Path) -> None:
    card = (
        'title = "Livers"\npackages = { torch = "2.14.1", pytorch-ignite = "" }\n'
        f'[input]\nmodality = "CT"\nslices = [30, 900]\n{LIVER}'
    )
    made = recipe(write_bundle(tmp_path, card))
    assert (made.card.title, made.card.input.slices) == ("Livers", (30, 900))
    assert made.structures == ("Liver: (10200004, SCT, Liver)",)
    assert {"torch==2.14.1", "pytorch-ignite"} <= set(made.requirements)


def test_hounsfield_units_are_those_of_a_ct(tmp_path: Path) -> None:
    other = data_format(image={"format": "hounsfield", "modality": ""})
    assert recipe(write_bundle(tmp_path, network_data_format=other)).card.input.modality == "CT"


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"network_data_format": data_format(image={"num_channels": 4})}, "4 x magnitude.*one im"),
        ({"network_data_format": data_format(image={"type": "tuple"})}, "one image of one channel"),
        ({"network_data_format": data_format(result={"format": "probabilities"})}, "one segmenta"),
        (
            {"network_data_format": data_format(result={"channel_def": {"one": "spleen"}})},
            "key that is not a number",
        ),
        (
            {"network_data_format": data_format(result={"channel_def": {"1": "gut"}})},
            "no one code is called 'Gut'.*left_out",
        ),
        (
            {"network_data_format": data_format(result={"channel_def": {"0": "background"}})},
            "no structure is left",
        ),
        ({"network_data_format": data_format(image={"modality": ""})}, "input"),
        ({"monai_version": 5}, "monai_version"),
        (
            {"required_packages_version": {"--index-url": "http://x"}},
            "'--index-url' .* is no package",
        ),
        (
            {"required_packages_version": {"-r /etc/passwd": ""}},
            "'-r /etc/passwd' .* is no package",
        ),
        ({"numpy_version": "1.26\n--index-url http://x"}, "'numpy' in version .* is no package"),
        ({"required_packages_version": {"x @ https://x/x.whl": ""}}, "names an address"),
    ],
)
def test_a_bundle_that_cannot_be_run_is_refused_before_anything_is_fetched(
    metadata: dict[str, Any], said: str, tmp_path: Path
) -> None:
    bundle = write_bundle(tmp_path, **metadata)
    (tmp_path / "models").mkdir()
    with pytest.raises(ConfigurationError, match=said):
        add(Wanted(str(bundle)), tmp_path / "models")
    assert list((tmp_path / "models").iterdir()) == []


def test_a_page_that_leads_out_of_the_bundle_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("of the site")
    page = write_bundle(tmp_path) / "docs" / "README.md"
    assert recipe(page.parents[1]).about == page
    page.unlink()
    page.symlink_to(tmp_path / "secret")
    assert recipe(page.parents[1]).about is None


def test_the_cures_of_a_refusal_cure(tmp_path: Path) -> None:
    two = {"0": "background", "1": "spleen", "2": "gut"}
    values = {"network_data_format": data_format(result={"channel_def": two})}
    bundle = write_bundle(tmp_path, **values)
    with pytest.raises(ConfigurationError, match=r"left_out = \['gut'\]"):
        _ = recipe(bundle).labels
    (bundle / "card.toml").write_text("left_out = ['gut']\n")
    assert [label.label for label in recipe(bundle).labels] == ["Spleen"]
    (bundle / "card.toml").write_text(LIVER.replace('"spleen"', '"gut"'))
    assert [label.label for label in recipe(bundle).labels] == ["Spleen", "Liver"]
    (bundle / "card.toml").write_text(LIVER.replace('"spleen"', '"splen"'))
    with pytest.raises(ConfigurationError, match="did you mean 'spleen'"):
        _ = recipe(bundle).labels


def test_an_nnunet_says_its_labels_and_its_card_the_rest(tmp_path: Path) -> None:
    made = recipe(write_nnunet(tmp_path))
    assert made.structures == (
        "Spleen: (78961009, SCT, Spleen)",
        "Kidney left: (64033007, SCT, Kidney)",
    )
    assert made.numbers == {"spleen": (1,), "kidney_left": (2,)}
    assert made.options["folds"] == [0, 1], "not that of all images beside them"
    assert made.requirements == ("nnunetv2==2.8.1", "torch")
    made.write(tmp_path)
    plan = Plan.read(tmp_path)
    spleen, kidney = plan.structures
    assert (kidney.side.meaning, spleen.side) == ("Left", None)  # type: ignore[union-attr]
    assert plan.needs.modality == "MR"
    assert {path.name for path in (tmp_path / "model").iterdir()} == {
        *("dataset.json", "plans.json", "fold_0", "fold_1")
    }


def test_regions_of_an_nnunet_may_hold_each_other(tmp_path: Path) -> None:
    labels = {"background": 0, "Neoplasm": [1, 2], "Lesion": [2]}
    made = recipe(write_nnunet(tmp_path, labels=labels, regions_class_order=[1, 2]))
    made.write(tmp_path)
    volume = Volume(np.zeros((2, 3, 4), np.float32), np.eye(4))
    numbers = np.arange(24).reshape(2, 3, 4) % 3
    whole, core = (s.segment(numbers, volume) for s in Plan.read(tmp_path).structures)
    assert (whole.mask.array.sum(), core.mask.array.sum()) == (16, 8)
    assert (whole.mask.array | core.mask.array).sum() == 16


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"channel_names": {"0": "T1", "1": "FLAIR"}}, "takes T1, FLAIR; Hilum gives it one"),
        ({"card": ""}, "has no card.toml: an nnU-Net does not say how the images lie"),
        ({"card": NNUNET_CARD.replace("SPL", "SPA")}, "axes names each direction"),
        ({"card": "folds = [7]\n" + NNUNET_CARD}, r"fold_7/checkpoint_final.pth: there is no such"),
        ({"card": 'checkpoint = "best.pth"\n' + NNUNET_CARD}, "no fold has a best.pth"),
        ({"labels": {"spleen": "one"}}, "label 'spleen' is not a number"),
        ({"labels": [1]}, "has no labels"),
    ],
)
def test_an_nnunet_that_cannot_be_run_is_refused(
    changes: dict[str, Any], said: str, tmp_path: Path
) -> None:
    folder = write_nnunet(tmp_path, **changes)
    with pytest.raises(ConfigurationError, match=said):
        recipe_of(folder)


def test_the_second_stage_of_a_cascade_is_refused_when_it_loads() -> None:
    """Its weights alone say which configuration it is, so no sooner."""
    require_one_stage(SimpleNamespace(previous_stage_name=None))
    with pytest.raises(ModelError, match=r"does not run the first \(3d_lowres\)"):
        require_one_stage(SimpleNamespace(previous_stage_name="3d_lowres"))


def test_a_folder_of_code_is_no_model(tmp_path: Path) -> None:
    assert recipe_of(tmp_path) is None


def test_a_model_that_was_laid_among_the_models_says_how_it_is_added(tmp_path: Path) -> None:
    card = NNUNET_CARD
    write_nnunet(tmp_path, card)
    found, problems = discover(Place(models=tmp_path))
    assert "tiny-nnunet" not in found
    assert "hilum modules add" in problems["tiny-nnunet"]


def oblique(values: np.ndarray) -> Volume:
    """On the grid of `volumes.oblique`, as `hilum_module` gives it."""
    return Volume(np.asarray(values, np.float32), volumes.oblique().affine, "1.2.3")


@pytest.mark.parametrize("ending", ["nii", "nii.gz"])
def test_a_nifti_file_lies_where_the_volume_does(ending: str, tmp_path: Path) -> None:
    """By SimpleITK, which speaks LPS as DICOM does; and it comes back as it was."""
    values = np.arange(5 * 6 * 7).reshape(5, 6, 7)
    volume = oblique(values)
    path = tmp_path / f"image.{ending}"
    nifti.write(volume, path)
    image = SimpleITK.ReadImage(str(path))
    for index in ((0, 0, 0), (4, 5, 6), (1, 4, 2)):
        there = image.TransformIndexToPhysicalPoint(index[::-1])
        assert np.allclose(there, (volume.affine @ [*index, 1])[:3], atol=1e-3)
        assert image[index[::-1]] == values[index]
    assert np.array_equal(nifti.read(path, volume), values)


def test_a_nifti_file_elsewhere_is_refused(tmp_path: Path) -> None:
    volume = oblique(np.zeros((5, 6, 7)))
    nifti.write(volume, tmp_path / "image.nii")
    for other in (
        Volume(volume.array[1:], volume.affine),
        Volume(volume.array, np.eye(4, k=3) * 0.02 + volume.affine),
        Volume(volume.array[::-1], volume.affine * (-1, 1, 1, 1)),
    ):
        with pytest.raises(nifti.OtherGridError):
            nifti.read(tmp_path / "image.nii", other)


def test_channels_come_first(tmp_path: Path) -> None:
    volume = oblique(np.zeros((5, 6, 7)))
    channels = np.random.default_rng(1).integers(0, 2, (3, 5, 6, 7)).astype(np.float32)
    image = nibabel.Nifti1Image(channels.transpose(3, 2, 1, 0), nifti.affine_of(volume))
    nibabel.save(image, str(tmp_path / "left.nii"))
    assert np.array_equal(nifti.read(tmp_path / "left.nii", volume), channels)


@pytest.mark.parametrize("axes", ["SPL", "SAR", "RAS", "LIP"])
def test_axes_lead_where_they_should(axes: str) -> None:
    volume = oblique(np.arange(5 * 6 * 7).reshape(5, 6, 7))
    laid = Laid(volume, axes)
    where = np.moveaxis(np.indices((5, 6, 7)), 0, -1) @ volume.affine[:3, :3].T
    along = Laid(Volume(where[..., 0], volume.affine), axes)  # how it lays any array
    for axis, letter in enumerate(axes):
        way = Volume(where @ np.array(DIRECTIONS[letter], float), volume.affine)
        step = np.diff(Laid(way, axes).array, axis=axis)
        assert (step > 0).all(), letter
        assert laid.spacing[axis] == pytest.approx(volume.spacing[laid.order[axis]])
    assert along.array.shape == laid.array.shape
    assert np.array_equal(laid.back(laid.array), volume.array)


class Channels(ModelModule):
    """A framework that gives a mask for each channel: bright, and dark."""

    def labels(self, volume: Volume) -> np.ndarray:
        return np.stack([volume.array > 500, volume.array <= 500])


class Brighter(ModelModule):
    """A framework in miniature: what is brighter than its option has the number 1."""

    def labels(self, volume: Volume) -> np.ndarray:
        return volume.array > self.plan.options["threshold"]


def written(folder: Path, options: dict[str, Any], numbers: Sequence[int] = (1,)) -> Path:
    """The folder of an environment, as far as a module looks into it."""
    recipe(write_bundle(folder)).write(folder)
    plan = json.loads((folder / "plan.json").read_text())
    plan["options"] = options
    plan["structures"][0]["numbers"] = numbers
    (folder / "plan.json").write_text(json.dumps(plan))
    return folder


def test_a_module_of_a_model_keeps_the_contract(tmp_path: Path) -> None:
    module: Any = Brighter.with_model(written(tmp_path, {"threshold": 500}))
    files = write_series(tmp_path / "exam", 6)
    found = check_module(module, files)
    assert [segment.label for segment in found.segments] == ["Spleen"]
    assert [m.value for m in found.measurements] == [pytest.approx(6 * 24 * 10 / 1000)]
    assert found.items[-1].text == "A test.", "what it is for"


def test_structures_with_a_channel_each_are_segments(tmp_path: Path) -> None:
    module: Any = Channels.with_model(written(tmp_path, {}, (0, 1)))
    files = write_series(tmp_path / "exam", 6)
    (either,) = check_module(module, files).segments
    assert either.voxels == 6 * 24 * 20


@pytest.mark.parametrize(
    ("labels", "numbers", "said"),
    [
        (np.full((2, 3, 4), 0.5), (1,), "not whole"),
        (np.zeros((2, 3, 4), int), (0,), "0 is the background"),
    ],
)
def test_what_are_no_labels_is_no_result(
    labels: np.ndarray, numbers: Sequence[int], said: str, tmp_path: Path
) -> None:
    class Odd(ModelModule):
        def labels(self, volume: Volume) -> np.ndarray:
            return labels

    module = Odd.with_model(written(tmp_path, {}, numbers))()
    series = series_of(Volume(np.zeros((2, 3, 4)), np.eye(4)))
    with pytest.raises(ModelError, match=said) as raised:
        list(module.run(series))
    assert re.match(f"ModelError: .*{said}", where(raised.value, "odd")), "in our own words"


def test_the_words_of_a_stranger_are_not_told() -> None:
    with pytest.raises(ModelError) as raised:
        raise ModelError("Marker^Patient")
    assert "Marker" not in where(raised.value, "odd")


def test_a_page_of_the_authors_is_that_of_the_module(tmp_path: Path) -> None:
    made = recipe(write_bundle(tmp_path))
    made.write(tmp_path)
    assert (tmp_path / "card.md").read_text().startswith("# Bright spleen")
    assert METADATA["name"] == made.card.title
    assert Environment.model_fields["structures"].default == ()
