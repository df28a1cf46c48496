import csv
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pydicom
import pytest
from highdicom import Volume
from highdicom.legacy import LegacyConvertedEnhancedMRImage
from pydicom.uid import generate_uid

from hilum.findings import Findings, Refusal
from hilum.hosts.discovery import installed_modules
from hilum.module import facts_of
from hilum.modules.hippocampus import HippocampalVolume
from hilum.modules.hippocampus.network import MULTIPLE
from hilum.offline import analyse_folder
from hilum_lab.network import exam
from visits import a_year_later

from .hippocampi import dice, series_of, written

STORED = {  # axes of the stored slices, rows and columns; the patient stays where he is
    "axial": "HPL",
    "axial from the top, rows from behind": "FAL",
    "sagittal": "LFP",
    "sagittal from the right, mirrored": "RHA",
    "coronal": "PFL",
    "coronal from the back": "AHR",
}


@pytest.fixture(scope="module")
def crop(folder: Path) -> Volume:
    """The left hippocampus of a real person: the sample exam's crop of the Colin27 head."""
    return series_of(folder).volume()


def found(module: HippocampalVolume, series: object) -> Findings:
    return Findings(tuple(module.run(series)))  # type: ignore[arg-type]


def volumes(findings: Findings) -> dict[str, float]:
    """mL by the segment's label."""
    assert findings.refusal is None, findings.refusal
    return {m.of.label: m.value for m in findings.measurements if m.of}


def test_is_registered_with_weights_and_card() -> None:
    assert installed_modules()["hippocampal-volume"] is HippocampalVolume
    facts = facts_of(HippocampalVolume)
    assert facts.title == "Hippocampal volume"
    assert facts.weights_sha256 in HippocampalVolume.card.read_text()


def test_measures_the_hippocampus_of_a_real_head(
    module: HippocampalVolume, crop: Volume, tmp_path: Path
) -> None:
    series = written(crop, tmp_path)
    assert list(module.needs.objections(series)) == []
    findings = found(module, series)
    anterior, posterior, whole = findings.segments
    assert [s.label for s in findings.segments] == [
        "Hippocampus, anterior",
        "Hippocampus, posterior",
        "Hippocampus",
    ]
    assert [s.side for s in findings.segments] == [None] * 3
    assert (whole.mask.array == anterior.mask.array | posterior.mask.array).all()
    assert not (anterior.mask.array & posterior.mask.array).any()
    assert 2.5 < whole.volume_ml < 4.0
    for measurement in findings.measurements:
        assert measurement.of
        assert measurement.value == measurement.of.volume_ml
        assert measurement.uncertainty
        assert 0.02 < measurement.uncertainty / measurement.value < 0.15
    assert any("side" in note.text for note in findings.notes)

    # the anterior part lies in front: further along minus y in LPS
    centres = [
        (s.mask.affine @ [*np.argwhere(s.mask.array).mean(0), 1])[:3] for s in (anterior, posterior)
    ]
    assert centres[0][1] < centres[1][1] - 10


@pytest.mark.parametrize("axes", STORED.values(), ids=STORED.keys())
def test_storage_orientation_and_slice_order_do_not_matter(
    module: HippocampalVolume, crop: Volume, tmp_path: Path, axes: str
) -> None:
    expected = module.segment(crop)
    turned = crop.to_patient_orientation(axes)
    order = np.random.default_rng(1).permutation(turned.spatial_shape[0])
    findings = found(module, written(turned, tmp_path, order.tolist()))
    mask = findings.segments[2].mask.to_patient_orientation("RAH")
    assert (mask.array == (expected.labels > 0)).all()
    upright = crop.to_patient_orientation("RAH")
    assert np.allclose(mask.affine, upright.affine, atol=1e-3)


def test_size_need_not_be_a_multiple(module: HippocampalVolume, crop: Volume) -> None:
    for sides in [(33, 47, 34), (32, 48, 32)]:
        smaller = crop.to_patient_orientation("RAH").crop_to_spatial_shape(sides)
        segmentation = module.segment(smaller)
        assert segmentation.labels.shape == sides
        assert np.allclose(segmentation.probabilities.sum(0), 1, atol=1e-5)
    assert MULTIPLE == 8


@pytest.mark.parametrize(("study", "millilitres"), [("Study1", 3.49), ("Study2", 3.15)])
def test_volumes_of_the_real_crops(
    module: HippocampalVolume, shared: Path, study: str, millilitres: float
) -> None:
    series = series_of(shared / "data" / "studies" / study)
    assert list(module.needs.objections(series)) == []
    measured = volumes(found(module, series))
    assert measured["Hippocampus"] == pytest.approx(millilitres, rel=0.1)


@pytest.mark.parametrize("study", ["Study1", "Study2"])
def test_only_the_crop_of_a_study_is_taken(
    module: HippocampalVolume, shared: Path, study: str
) -> None:
    from hilum.dicom.instance import Instance
    from hilum.dicom.study import Study

    files = sorted((shared / "data" / "studies" / study).rglob("*.dcm"))
    fitting = [
        series.description
        for series in Study.of(map(Instance.read, files)).series
        if not list(module.needs.objections(series))
    ]
    assert fitting == ["HippoCrop"]


def test_overlap_with_the_labels(module: HippocampalVolume, shared: Path) -> None:
    """The shipped network has seen these persons: inference does what training did, no more.

    What it does for others stands in its card, by the networks of the folds.
    """
    folder = shared / "data" / "hippocampus"
    with (folder / "cases.csv").open(newline="") as table:
        names = [row["case"] for row in csv.DictReader(table)]
    scores = []
    for name in names[::20]:
        image = Volume.from_nibabel(nib.load(folder / "images" / f"{name}.nii.gz"))
        label = np.asarray(nib.load(folder / "labels" / f"{name}.nii.gz").dataobj)
        segmentation = module.segment(image.astype(np.float32))
        assert not isinstance(module.plausibility(segmentation), Refusal)
        scores.append([dice(segmentation.labels == k, label == k) for k in (1, 2)])
    assert np.mean(scores) >= 0.87


def test_run_compares_the_exams_of_one_folder(tmp_path: Path) -> None:
    exam.make_exam(tmp_path / "in" / "first", series=("HippoCrop",))
    exam.make_exam(tmp_path / "in" / "second", series=("HippoCrop",))
    a_year_later(tmp_path / "in" / "second")
    first, second = analyse_folder(
        "hippocampal-volume",
        tmp_path / "in",
        tmp_path / "out",
        {"SeriesDescription": "^HippoCrop$"},
    )
    assert not [f for f in first.findings if f.kind == "change"]
    (change,) = (f for f in second.findings if f.kind == "change")
    assert (change.of, change.value) == ("Hippocampus", pytest.approx(0, abs=1e-9))
    assert change.percent_per_year_uncertainty > 5

    # and with an earlier report alone, as an archive would give it
    shutil.rmtree(tmp_path / "in" / "first")
    report = next(r.path for r in first.results if r.kind == "sr")
    shutil.copy(report, tmp_path / "in")
    (*_, again) = analyse_folder("hippocampal-volume", tmp_path / "in", tmp_path / "again", {})
    (same,) = (f for f in again.findings if f.kind == "change")
    assert same.in_words() == change.in_words()


def test_a_converter_of_others_changes_no_number(tmp_path: Path) -> None:
    """The same crop as one multi-frame object, made by highdicom, gives the same volumes."""
    exam.make_exam(tmp_path / "classic", series=("HippoCrop",))
    slices = [pydicom.dcmread(path) for path in (tmp_path / "classic").rglob("*.dcm")]
    converted = LegacyConvertedEnhancedMRImage(slices, generate_uid(), 9, generate_uid(), 1)
    (tmp_path / "enhanced").mkdir()
    converted.save_as(tmp_path / "enhanced" / "all.dcm", enforce_file_format=True)
    found = []
    for kind in ("classic", "enhanced"):
        out = tmp_path / f"out-{kind}"
        (report,) = analyse_folder("hippocampal-volume", tmp_path / kind, out, {})
        assert report.state == "analysed", report
        found.append([f.value for f in report.findings if f.kind == "measurement"])
    assert found[0] == found[1]
