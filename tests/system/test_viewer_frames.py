"""What the radiologist sees of a result on an enhanced object: OHIF, in a real Chromium."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from highdicom.legacy import LegacyConvertedEnhancedMRImage
from pydicom.uid import generate_uid

import browser
from hilum.dicom.instance import Instance
from hilum.dicom.series import Series
from hilum.offline import analyse_folder
from hilum.transport import sender
from hilum_lab.network import exam, parts
from hilum_lab.network.viewer import Viewer
from tests.archives import Orthanc

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not browser.CHROMIUM, reason="Chromium is not installed"),
]


def test_the_outline_lies_on_the_right_frames(tmp_path: Path) -> None:
    exam.make_exam(tmp_path / "classic", series=("HippoCrop",))
    slices = [pydicom.dcmread(path) for path in sorted((tmp_path / "classic").rglob("*.dcm"))]
    converted = LegacyConvertedEnhancedMRImage(slices, generate_uid(), 9, generate_uid(), 1)
    converted.SeriesDescription = "HippoCrop"
    path = tmp_path / "enhanced" / "all.dcm"
    path.parent.mkdir()
    converted.save_as(path, enforce_file_format=True)
    (report,) = analyse_folder(
        "hippocampal-volume", path.parent, tmp_path / "out", {}, segmentation="ohif"
    )
    results = {result.kind: result.path for result in report.results}
    series = Series.of([Instance.read(path)])
    overlay = pydicom.dcmread(results["seg"])
    with (
        Orthanc(tmp_path / "pacs") as pacs,
        Viewer(tmp_path / "viewer", pacs.url, dist=parts.ohif()) as viewer,
        browser.Reader() as reader,
    ):
        sender.send([path, *results.values()], (pacs.ae_title, "127.0.0.1", pacs.dicom_port))
        reader.open_study(viewer.study_url(exam.study_uid()))
        reader.show("HippoCrop")
        reader.load_segmentation(overlay.SeriesDescription)
        shown = reader.voxels_by_frame(overlay.SeriesDescription)
    for label, expected in expected_of(overlay, series).items():
        assert {key: sorted(pixels) for key, pixels in shown[label].items()} == expected, label


def expected_of(overlay: pydicom.Dataset, series: Series) -> dict[str, dict[str, list[int]]]:
    """By label and "UID FRAME", the pixels of each segment, where its planes say that they lie."""
    uid = series.instances[0].sop_instance_uid
    labels = {s.SegmentNumber: s.SegmentLabel for s in overlay.SegmentSequence}
    found: dict[str, dict[str, list[int]]] = {label: {} for label in labels.values()}
    planes = np.atleast_3d(overlay.pixel_array)
    for group, plane in zip(overlay.PerFrameFunctionalGroupsSequence, planes, strict=True):
        there = group.PlanePositionSequence[0].ImagePositionPatient
        (frame,) = (f for f in series.frames if np.allclose(f.position, there, atol=1e-3))
        number = group.SegmentIdentificationSequence[0].ReferencedSegmentNumber
        if plane.any():
            found[labels[number]][f"{uid} {frame.number}"] = np.flatnonzero(plane).tolist()
    return found
