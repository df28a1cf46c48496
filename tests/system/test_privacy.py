"""Patient data reach the results, and nothing else: no log, record, page or file name."""

from pathlib import Path

import httpx
import pydicom
import pytest

from factory import mr_slices, write
from hilum.dicom.instance import Instance
from plugin import BRIGHT, install_plugin

from .site import running
from .test_modules import site_for

MARKERS = ("MARKERNAME", "MARKERID", "19010203")


def test_markers_stay_in_the_objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    slices = mr_slices(patient="MARKERNAME^X")
    for ds in slices:
        ds.PatientID, ds.PatientBirthDate = "MARKERID", "19010203"
        with pydicom.config.disable_value_validation():
            ds.PatientAge = "MARKERID"  # wrong on purpose: libraries warn with the value
    files = write(slices, tmp_path / "exam")
    with running(tmp_path, **site_for(tmp_path, "bright-volume")) as hilum:
        hilum.send(files)
        study_uid = Instance.read(files[0]).study_uid
        hilum.settled(study_uid)
        console = f"http://127.0.0.1:{hilum.site.console.port}"
        pages = "".join(
            httpx.get(console + path).text
            for path in ("/", "/api/studies", f"/api/studies/{study_uid}", "/api/modules")
        )
    data = hilum.site.data
    results = [pydicom.dcmread(path) for path in (tmp_path / "out").rglob("*.dcm")]
    assert {str(ds.PatientName) for ds in results} == {"MARKERNAME^X"}
    kept = [p for p in data.rglob("*") if p.is_file() and p.suffix != ".dcm"]
    assert any(p.name == "hilum.log" for p in kept)
    assert any(p.name == "hilum.db" for p in kept)
    for marker in MARKERS:
        assert marker not in pages
        assert not [p for p in data.rglob("*") if marker in str(p)]
        assert not [p for p in kept if marker.encode() in p.read_bytes()]
