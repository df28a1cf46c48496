"""Patient data reach the results and the line of the study in the records, and nothing else.

No log, page, number or file name holds them.
"""

import os
import sys
from contextlib import closing
from pathlib import Path

import pydicom
import pytest

from factory import mr_slices, write
from hilum.cli import main
from hilum.dicom.instance import Instance
from hilum.privacy import OTHERS
from hilum.processes.process import keep_private
from hilum.records import Records, records_url, views
from hilum.records.search import StudyQuery
from hilum.service.supervisor import EVERY_ROLE
from plugin import BRIGHT, install_plugin
from tests.signing_in import asked

from .site import ALL_KINDS, running
from .test_modules import site_for

LISTS = ("/api/v1/studies", "/api/v1/modules")
NUMBERS = ("/api/v1/alarms", "/health", "/metrics")
MARKERS = ("MARKERNAME", "MARKERID", "MARKERACC", "MARKERDESC", "19010203")


def test_markers_stay_in_the_objects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    slices = mr_slices(count=8, patient="MARKERNAME^X")
    for ds in slices:
        ds.PatientID, ds.PatientBirthDate = "MARKERID", "19010203"
        ds.AccessionNumber, ds.StudyDescription = "MARKERACC", "MARKERDESC"
        with pydicom.config.disable_value_validation():
            ds.PatientAge = "MARKERID"  # wrong on purpose: libraries warn with the value
    files = write(slices, tmp_path / "exam")
    settings = site_for(tmp_path, "bright-volume", **ALL_KINDS)
    with running(tmp_path, EVERY_ROLE, **settings) as hilum:
        hilum.send(files)
        study_uid = Instance.read(files[0]).study_uid
        hilum.settled(study_uid)
        with closing(Records(records_url(hilum.site))) as records:
            (line,) = views.find(records, StudyQuery(words=("markername", "MARKERACC"))).studies
        assert line.study_uid == study_uid
        assert (line.patient_id, line.description) == ("MARKERID", "MARKERDESC")
        pages = "".join(
            asked(hilum.site, path).text
            for path in (
                "/",
                "/api/v1/studies",
                f"/api/v1/studies/{study_uid}",
                "/api/v1/modules",
                *NUMBERS,
            )
        )
    data = hilum.site.data
    results = [pydicom.dcmread(path) for path in (tmp_path / "out").rglob("*.dcm")]
    assert {str(ds.PatientName) for ds in results} == {"MARKERNAME^X"}
    kept = [p for p in data.rglob("*") if p.is_file() and p.suffix != ".dcm"]
    assert any(p.name == "hilum.log" for p in kept)
    assert any(p.name == "engine.db" for p in kept)
    assert any(p.parent.name == "records" for p in kept)  # copies of what is on record
    kept = [p for p in kept if p.name.partition("-")[0] != "hilum.db"]
    for marker in MARKERS:
        assert marker not in pages
        assert not [p for p in data.rglob("*") if marker in str(p)]
        assert not [p for p in kept if marker.encode() in p.read_bytes()]


def test_what_a_run_leaves_is_its_owners_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_plugin(tmp_path / "plugin", monkeypatch, BRIGHT, "bright-volume", "BrightVolume")
    files = write(mr_slices(count=8), tmp_path / "exam")
    before = os.umask(0o022)  # the usual one
    try:
        keep_private()  # as every command does first
        settings = site_for(tmp_path, "bright-volume", **ALL_KINDS)
        with running(tmp_path, EVERY_ROLE, **settings) as hilum:
            hilum.send(files)
            hilum.settled(Instance.read(files[0]).study_uid)
            wide = [p for p in (hilum.site.data, *hilum.site.data.rglob("*")) if is_open(p)]
        words = ["hilum", "run", "bright-volume", str(tmp_path / "exam"), "-o", str(tmp_path / "r")]
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        os.umask(before)
    assert ended.value.code == 0
    assert wide == []
    results = [*(tmp_path / "r").rglob("*"), *(tmp_path / "out").rglob("*")]
    assert len([path for path in results if path.suffix == ".dcm"]) >= 8
    assert [path for path in results if is_open(path)] == []


def is_open(path: Path) -> bool:
    """Whether others than its owner have rights in it; those of a link say nothing."""
    return not path.is_symlink() and bool(path.stat().st_mode & OTHERS)
