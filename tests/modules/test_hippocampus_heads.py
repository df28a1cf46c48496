"""Whole heads: the sample exam's Colin27, a real person's head laid into a scanner."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from highdicom import Volume
from nibabel.nifti1 import Nifti1Image

from factory import instances
from hilum.config.site import Rule
from hilum.dicom import codes
from hilum.dicom.series import Series
from hilum.dicom.study import Study
from hilum.findings import Findings, Refusal
from hilum.module import inputs_of
from hilum.modules.hippocampus import HippocampalVolume
from hilum.modules.hippocampus.heads import Head, segmented
from hilum.modules.hippocampus.search import Location, find_pair
from hilum.study.routing import select
from hilum_lab.network import head

from .hippocampi import dice, series_of, thick_made_thin, written

MACAQUE = "inia19-t1-brain.nii.gz"
SIDES = (codes.LEFT, codes.RIGHT)


@pytest.fixture(scope="module")
def t1(folder: Path) -> Series:
    return series_of(folder, "T1 MPRAGE sag")


@pytest.fixture(scope="module")
def findings(module: HippocampalVolume, t1: Series) -> Findings:
    return Findings(tuple(module.run(t1)))


def test_a_head_fits_and_thick_slices_do_not(module: HippocampalVolume, folder: Path) -> None:
    assert list(module.needs.objections(series_of(folder, "T1 MPRAGE sag"))) == []
    [objection] = module.needs.objections(series_of(folder, "FLAIR ax"))
    assert objection == "as a whole head: slice spacing 6 mm, module needs 0.4 to 3 mm"


def test_both_sides_are_measured_on_the_grid_of_the_head(t1: Series, findings: Findings) -> None:
    assert findings.refusal is None
    assert [s.side for s in findings.segments] == [codes.LEFT] * 3 + [codes.RIGHT] * 3
    grid = t1.volume()
    for segment in findings.segments:
        assert segment.mask.array.shape == grid.array.shape
        assert np.allclose(segment.mask.affine, grid.affine)
    for side, whole in zip(SIDES, findings.segments[2::3], strict=True):
        assert whole.label == f"{side.meaning} hippocampus"
        assert 2.4 < whole.volume_ml < 4.2
        x, *_ = (whole.mask.affine @ [*np.argwhere(whole.mask.array).mean(0), 1])[:3]
        # the scanner's zero lies in the middle of this head; LPS runs to the left
        assert 18 < (x if side == codes.LEFT else -x) < 35


def test_total_and_asymmetry_follow_from_the_sides(findings: Findings) -> None:
    left, right = (s.volume_ml for s in findings.segments[2::3])
    both, asymmetry = (m for m in findings.measurements if m.of is None)
    assert (both.code, asymmetry.code) == (codes.VOLUME_OF_BOTH, codes.ASYMMETRY)
    assert both.value == left + right
    assert asymmetry.value == pytest.approx(100 * (left - right) / ((left + right) / 2))
    assert asymmetry.unit == codes.PERCENT
    for measurement in findings.measurements:
        assert measurement.uncertainty
    assert not any("side of the hippocampus is not known" in n.text for n in findings.notes)


def test_the_crop_of_the_same_head_reads_the_same(
    module: HippocampalVolume, folder: Path, findings: Findings
) -> None:
    *_, crop = (
        s for s in Findings(tuple(module.run(series_of(folder)))).segments if s.side is None
    )
    left = findings.segments[2]
    assert left.volume_ml == pytest.approx(crop.volume_ml, rel=0.06)


def test_a_mirrored_head_swaps_the_sides(module: HippocampalVolume, t1: Series) -> None:
    volume = t1.volume().to_patient_orientation("RAH")
    mirrored = volume.with_array(np.ascontiguousarray(volume.array[::-1]))
    masks = []
    for each in (volume, mirrored):
        looked = Head(each)
        places = looked.find(module.plausibility.template)
        assert places
        masks.append([segmented(looked, p, module.segment).mask((1, 2)).array for p in places])
    (left, right), (left_then, right_then) = masks
    # the search's grid of 2 mm lies differently on the mirrored head
    for before, after in ((right, left_then), (left, right_then)):
        assert dice(before[::-1], after) > 0.97
        assert after.sum() == pytest.approx(before.sum(), rel=0.02)


def test_a_plain_t1_goes_before_one_after_contrast(
    module: HippocampalVolume, t1: Series, tmp_path: Path
) -> None:
    later = []
    for instance in t1.instances:
        dataset = instance.dataset()
        dataset.SeriesInstanceUID += ".1"
        dataset.SOPInstanceUID += ".1"
        dataset.SeriesDescription, dataset.ContrastBolusAgent = "T1 after", "Gadolinium"
        dataset.SeriesNumber = 1000
        later.append(dataset)
    after = instances(later, tmp_path)
    rule, needs = Rule(module=module.name), inputs_of(module)
    both = select(Study.of([*t1.instances, *after]), needs, rule)
    assert both.chosen["series"][0].uid == t1.uid
    assert any("names a contrast agent" in reason for reason in both.reasons)
    only = select(Study.of(after), needs, rule)
    assert only.reserved
    (refusal,) = module.run(only.chosen["series"][0])
    assert isinstance(refusal, Refusal)
    assert refusal.code == "contrast-agent"


def test_the_header_refuses(module: HippocampalVolume, t1: Series) -> None:
    header = t1.instances[0].header
    header.ContrastBolusAgent = "Gadolinium"
    try:
        (refusal,) = module.run(t1)
    finally:
        del header.ContrastBolusAgent
    assert isinstance(refusal, Refusal)
    assert refusal.code == "contrast-agent"


def test_slices_of_two_to_three_mm_are_of_low_confidence(
    module: HippocampalVolume, t1: Series, findings: Findings, tmp_path: Path
) -> None:
    volume = t1.volume().to_patient_orientation("HAR")
    thick = volume.array[: len(volume.array) // 3 * 3].reshape(-1, 3, *volume.array.shape[1:])
    affine = volume.affine.copy()
    affine[:3, 3] += affine[:3, 0]
    affine[:3, 0] *= 3
    slices = Volume(thick.mean(1), affine=affine, coordinate_system="PATIENT")
    series = written(slices, tmp_path)
    assert list(module.needs.objections(series)) == []
    found = Findings(tuple(module.run(series)))
    assert found.refusal is None
    assert any("Low confidence: slices of 3 mm" in note.sentence for note in found.notes)
    for thin, whole in zip(findings.segments[2::3], found.segments[2::3], strict=True):
        assert whole.volume_ml == pytest.approx(thin.volume_ml, rel=0.1)


@pytest.mark.parametrize("what", ["upside down", "upper half", "blank", "8 mm made thin"])
def test_what_is_no_whole_head_is_refused(
    module: HippocampalVolume, t1: Series, tmp_path: Path, what: str
) -> None:
    volume = t1.volume().to_patient_orientation("HAR")[::2]
    voxels = {
        "upside down": volume.array[::-1],
        "upper half": np.where(np.arange(104)[:, None, None] < 52, 0, volume.array),
        "noise": np.random.default_rng(0)
        .permutation(volume.array.ravel()[::1])
        .reshape(volume.array.shape),
        "blank": np.zeros_like(volume.array),
        "8 mm made thin": thick_made_thin(volume.array, 4),
    }[what]
    found = tuple(module.run(written(volume.with_array(np.ascontiguousarray(voxels)), tmp_path)))
    assert len(found) == 1
    assert isinstance(found[0], Refusal)


def test_a_macaque_is_refused(module: HippocampalVolume, tmp_path: Path) -> None:
    voxels = np.asarray(Nifti1Image.from_filename(head.TEMPLATES / MACAQUE).dataobj)
    upright = {"affine": np.diag([-1.0, -1.0, 1.0, 1.0]), "coordinate_system": "PATIENT"}
    large = Volume(voxels, **upright).to_patient_orientation("HAR")  # its voxels are of 0.5 mm
    [refusal] = module.run(written(large, tmp_path))
    assert isinstance(refusal, Refusal)


def test_a_crop_at_the_border_of_the_image_is_known(t1: Series) -> None:
    looked = Head(t1.volume())
    middle = Location(np.zeros(3), 0.7, mirrored=False)
    assert looked.inside(middle) == 1
    assert 0.3 < looked.inside(replace(middle, centre=np.array([80.0, 0, 0]))) < 0.7


def test_places_that_cannot_be_two_hippocampi_are_no_pair(module: HippocampalVolume) -> None:
    image = np.random.default_rng(0).random((10, 30, 30)).astype(np.float32)  # 30 mm wide
    assert find_pair(image, np.zeros(3), module.plausibility.template) is None
