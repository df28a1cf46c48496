"""The second system: every radiograph that reaches Orthanc is evaluated, the answer comes back.

Nothing is installed in this Orthanc. The name of each test says which defect of the original it
shows to be gone; the list of all nineteen stands in docs/explanation/nineteen-defects.md.
"""

import os
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

import httpx
import numpy as np
import pydicom
import pytest
from playwright.sync_api import Page, sync_playwright
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless

import browser
from factory import mr_slices, write
from hilum.dicom.uids import derived_uid
from hilum.records import views
from hilum_lab.network.processes import available_port
from objects import validators
from tests.archives import Orthanc

from .site import ALL_KINDS, Running, running
from .test_sources import watched

KINDS = ["DOC", "OT", "SR"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Orthanc, Running]]:
    folder = tmp_path_factory.mktemp("chest")
    dicom, http = available_port(), available_port()
    with (
        Orthanc(folder / "orthanc", dicom_port=dicom, http_port=http) as orthanc,
        running(
            folder,
            source=[{"name": "orthanc", "kind": "orthanc", "url": orthanc.url}],
            destination=[{"name": "orthanc", "kind": "dimse", "port": dicom, **ALL_KINDS}],
            rule=[{"module": "chest-radiograph", "send_to": ["orthanc"]}],
        ) as hilum,
    ):
        watched(hilum)  # what is there before, stays there
        yield orthanc, hilum


@pytest.fixture(scope="module")
def film(sample_film: Path) -> Dataset:
    """The synthetic frontal film."""
    films = map(pydicom.dcmread, sample_film.rglob("*.dcm"))
    return next(ds for ds in films if ds.ViewPosition == "PA")


def another(film: Dataset, name: str, study: str = "", **attributes: object) -> Dataset:
    """A copy of `film` in a study of its own, or in `study`."""
    copy = deepcopy(film)
    copy.StudyInstanceUID = study or derived_uid("test", name, "study")
    copy.SeriesInstanceUID = derived_uid("test", name, "series")
    copy.SOPInstanceUID = derived_uid("test", name)
    for keyword, value in attributes.items():
        if value is None:
            delattr(copy, keyword)
        else:
            setattr(copy, keyword, value)
    copy.file_meta.MediaStorageSOPInstanceUID = copy.SOPInstanceUID
    return copy


def upload(orthanc: Orthanc, ds: Dataset, folder: Path) -> None:
    path = folder / f"{ds.SOPInstanceUID[-12:]}.dcm"
    ds.save_as(path, enforce_file_format=True)
    httpx.post(f"{orthanc.url}/instances", content=path.read_bytes()).raise_for_status()


def results(orthanc: Orthanc, study_uid: str, folder: Path) -> list[Dataset]:
    """Our objects as Orthanc holds them, one file each below `folder`."""
    query = {"Level": "Instance", "Query": {"StudyInstanceUID": study_uid}}
    found = []
    for number, key in enumerate(httpx.post(f"{orthanc.url}/tools/find", json=query).json()):
        path = folder / f"held-{number}.dcm"
        path.write_bytes(httpx.get(f"{orthanc.url}/instances/{key}/file").content)
        ds = pydicom.dcmread(path)
        if "ContributingEquipmentSequence" in ds:
            found.append(ds)
    return sorted(found, key=lambda ds: ds.Modality)


def evaluated(
    site: tuple[Orthanc, Running], ds: Dataset, folder: Path
) -> tuple[dict, list[Dataset]]:
    """The workitem of a film that is uploaded, and the objects that came back into its study."""
    orthanc, hilum = site
    upload(orthanc, ds, folder)
    (item,) = hilum.settled(ds.StudyInstanceUID).workitems
    assert item.state == "completed", item.reason
    objects = results(orthanc, ds.StudyInstanceUID, folder)
    assert [o.Modality for o in objects] == KINDS
    return item, objects


def classification(item: dict) -> dict:
    return next(f for f in item.findings if f.kind == "classification")


def test_the_answer_stands_in_the_study_with_provenance(
    site: tuple[Orthanc, Running], film: Dataset, tmp_path: Path
) -> None:
    """Defects 10, 11, 12, 13: tags, referring physician, provenance, only a picture."""
    ds = another(film, "whole", ReferringPhysicianName="Asked^By")
    item, objects = evaluated(site, ds, tmp_path)
    assert set(classification(item).scores) == {"COVID-19", "pneumonia", "normal"}
    for made in objects:
        assert made.PatientName == ds.PatientName
        assert made.ReferringPhysicianName == "Asked^By"
        assert made.StudyDate == ds.StudyDate
        assert made.SeriesNumber >= 9000
        assert len(made.SOPInstanceUID) <= 64
        assert "not for diagnosis" in made.SeriesDescription
        equipment = made.ContributingEquipmentSequence[0]
        assert equipment.DeviceSerialNumber == item.weights_sha256
    picture = next(made for made in objects if made.Modality == "OT")
    assert picture.ImageType[:2] == ["DERIVED", "SECONDARY"]
    assert picture.BurnedInAnnotation == "YES"
    assert "AcquisitionTime" not in picture
    assert picture.SourceImageSequence[0].ReferencedSOPInstanceUID == ds.SOPInstanceUID
    assert min(picture.Rows, picture.Columns) >= 700


def test_a_brain_mri_gets_no_label(
    site: tuple[Orthanc, Running], film: Dataset, tmp_path: Path
) -> None:
    """Defect 1: no filter at all."""
    orthanc, hilum = site
    slices = mr_slices("brain", study="brain beside films", count=3)
    for path in write(slices, tmp_path / "brain"):
        httpx.post(f"{orthanc.url}/instances", content=path.read_bytes()).raise_for_status()
    (item,) = hilum.settled(slices[0].StudyInstanceUID).workitems
    assert item.state == "not applicable"
    assert results(orthanc, slices[0].StudyInstanceUID, tmp_path) == []
    rows, columns = film.Rows, film.Columns
    noise = np.random.default_rng(1).integers(0, 4095, (rows, columns), dtype=np.uint16)
    disguised = another(film, "disguised", PixelData=noise.tobytes())
    item, _objects = evaluated(site, disguised, tmp_path)
    assert item.findings[0].kind == "refusal"


def test_compressed_films_are_read(
    site: tuple[Orthanc, Running], film: Dataset, tmp_path: Path
) -> None:
    """Defect 3: dies on JPEG 2000, and again at every restart."""
    plain, _ = evaluated(site, another(film, "plain"), tmp_path)
    compressed = another(film, "compressed")
    compressed.compress(JPEG2000Lossless, generate_instance_uid=False)
    item, _ = evaluated(site, compressed, tmp_path)
    assert classification(item).scores == classification(plain).scores


def test_names_in_any_script_long_uids_and_missing_attributes(
    site: tuple[Orthanc, Running], film: Dataset, tmp_path: Path
) -> None:
    """Defects 8, 12, 13: UIDs of 66 characters, KeyError on missing tags, ASCII names only."""
    root = "1.2.826.0.1.3680043.10.1559."
    long = [root + str(n) * (64 - len(root)) for n in (7, 8, 9)]
    odd = another(
        film,
        "odd",
        SpecificCharacterSet="ISO_IR 192",
        PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう",
        ReferringPhysicianName="قباني^لنزار",
        StudyID=None,
        AccessionNumber=None,
        PatientBirthDate=None,
    )
    odd.StudyInstanceUID, odd.SeriesInstanceUID, odd.SOPInstanceUID = long
    odd.file_meta.MediaStorageSOPInstanceUID = long[2]
    _item, objects = evaluated(site, odd, tmp_path)
    for number, made in enumerate(objects):
        assert str(made.PatientName) == "Yamada^Tarou=山田^太郎=やまだ^たろう"
        assert str(made.ReferringPhysicianName) == "قباني^لنزار"
        assert len(made.SOPInstanceUID) <= 64
        path = tmp_path / f"made-{number}.dcm"
        made.save_as(path)
        assert validators.dciodvfy(path) == []
    assert len({made.SOPInstanceUID for made in objects}) == 3


def test_several_films_give_one_answer_and_the_same_film_again_gives_none(
    site: tuple[Orthanc, Running], film: Dataset, tmp_path: Path
) -> None:
    """Defects 6, 7, 9, 17: one answer per instance, fired too early, lost the second, loops."""
    orthanc, hilum = site
    study = derived_uid("test", "two films")
    films = [another(film, f"film {n}", study=study, InstanceNumber=n) for n in (1, 2)]
    for ds in films:
        upload(orthanc, ds, tmp_path)

    def on_both() -> dict | None:  # after a pause between them there is one on the first, too
        item = hilum.settled(study).workitems[-1]
        found = {f.image for f in item.findings if f.kind == "classification"}
        return item if found >= {ds.SOPInstanceUID for ds in films} else None

    item = hilum.until(on_both, "a run on both films")
    assert [i for i in hilum.settled(study).workitems if not i.superseded_by] == [item]
    before = len(results(orthanc, study, tmp_path))
    upload(orthanc, films[0], tmp_path)
    late = another(film, "film 3", study=study, InstanceNumber=3)
    upload(orthanc, late, tmp_path)
    hilum.until(lambda: _newest(hilum, study).id != item.id, "a run on all films")
    hilum.settled(study)
    new = _newest(hilum, study)
    assert new.predecessor == item.id
    assert len({f.image for f in new.findings} - {None}) == 3
    assert len(results(orthanc, study, tmp_path)) > before


def _newest(hilum: Running, study: str) -> dict:
    return views.study(hilum.records, study).workitems[-1]


@pytest.mark.browser
@pytest.mark.skipif(not browser.CHROMIUM, reason="Chromium is not installed")
def test_upload_in_orthanc_explorer_brings_the_prediction_beside_the_film(
    site: tuple[Orthanc, Running], film: Dataset, tmp_path: Path
) -> None:
    """The steps of the original's own instructions."""
    orthanc, hilum = site
    ds = another(film, "explorer")
    path = tmp_path / "film.dcm"
    ds.save_as(path, enforce_file_format=True)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=browser.CHROMIUM, args=["--no-sandbox"]
        )
        page = chromium.new_page(viewport={"width": 1280, "height": 900})
        page.goto(f"{orthanc.url}/app/explorer.html#upload")
        page.locator("input[type=file]").first.set_input_files(path)
        page.get_by_text("Start the upload").click()
        hilum.settled(ds.StudyInstanceUID)
        query = {"Level": "Study", "Query": {"StudyInstanceUID": ds.StudyInstanceUID}}
        (study,) = httpx.post(f"{orthanc.url}/tools/find", json=query).json()
        page.goto(f"{orthanc.url}/app/explorer.html#study?uuid={study}")
        page.reload()
        page.get_by_text("AI ", exact=False).first.wait_for()
        _picture(page, "explorer-study")
        shown = page.locator("#study").inner_text()
        chromium.close()
    assert shown.count("not for diagnosis") == len(KINDS)


def _picture(page: Page, name: str) -> None:
    if folder := os.environ.get("HILUM_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png")
