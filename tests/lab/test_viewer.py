import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import httpx
import pydicom
import pytest

import browser
from hilum_lab.network import exam, parts
from hilum_lab.network.orthanc import Orthanc
from hilum_lab.network.processes import available_port
from hilum_lab.network.viewer import Viewer


@pytest.fixture(scope="module")
def pacs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    """A PACS that holds one crop, whose first image has a VOI LUT Function."""
    folder = tmp_path_factory.mktemp("pacs")
    images = sorted(exam.make_exam(folder / "exam", series=["HippoCrop"]).rglob("*.dcm"))
    with Orthanc(folder / "orthanc") as running:
        for path in images:
            dataset = pydicom.dcmread(path)
            if path == images[0]:
                dataset.VOILUTFunction = "LINEAR"
            part10 = BytesIO()
            dataset.save_as(part10)
            url = f"{running.url}/instances"
            httpx.post(url, content=part10.getvalue()).raise_for_status()
        yield running


@pytest.fixture(scope="module")
def viewer(pacs: Orthanc, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewer]:
    """The web server before a stand-in for OHIF's files: what is tested is our part."""
    dist = tmp_path_factory.mktemp("dist")
    (dist / "index.html").write_text("<title>viewer</title>")
    with Viewer(tmp_path_factory.mktemp("viewer"), pacs.url, dist=dist) as running:
        yield running


def study(url: str) -> str:
    return f"{url}/dicom-web/studies/{exam.study_uid()}"


def test_pages_of_the_application_are_index_html(viewer: Viewer) -> None:
    for address in (viewer.url, viewer.study_url(exam.study_uid())):
        assert httpx.get(address).text == "<title>viewer</title>"
    assert httpx.get(f"{viewer.url}/missing.js").status_code == 404


def test_configuration_is_ours(viewer: Viewer) -> None:
    answer = httpx.get(f"{viewer.url}/app-config.js")
    assert "qidoRoot: '/dicom-web'" in answer.text
    assert "javascript" in answer.headers["content-type"]


def test_metadata_loses_voi_lut_function_only(viewer: Viewer, pacs: Orthanc) -> None:
    stored, served = (httpx.get(f"{study(at.url)}/metadata").json() for at in (pacs, viewer))
    assert sum("00281056" in instance for instance in stored) == 1
    keys = [set().union(*instances) for instances in (stored, served)]
    assert keys[0] - keys[1] == {"00281056"}


def test_bulk_data_is_fetched_from_the_same_origin(viewer: Viewer) -> None:
    for instance in httpx.get(f"{study(viewer.url)}/metadata").json():
        assert instance["7FE00010"]["BulkDataURI"].startswith(viewer.url)


def test_encoded_comma_in_a_search_is_understood(viewer: Viewer) -> None:
    answer = httpx.get(f"{viewer.url}/dicom-web/studies?includefield=00081030%2C00080061")
    assert answer.json()[0]["00081030"]["Value"] == ["MR brain, memory clinic"]


def test_frames_are_streamed_unchanged(viewer: Viewer, pacs: Orthanc) -> None:
    instance = httpx.get(f"{study(pacs.url)}/instances").json()[0]
    series, uid = (instance[tag]["Value"][0] for tag in ("0020000E", "00080018"))
    path = f"series/{series}/instances/{uid}/frames/1"
    direct, proxied = (httpx.get(f"{study(at.url)}/{path}") for at in (pacs, viewer))
    assert proxied.status_code == 200
    pixels = [body.content.split(b"\r\n\r\n", 1)[1][:3570] for body in (direct, proxied)]
    assert pixels[0] == pixels[1]


def test_pacs_that_is_down_is_said_so(tmp_path: Path) -> None:
    with Viewer(tmp_path, f"http://127.0.0.1:{available_port()}", dist=tmp_path) as viewer:
        answer = httpx.get(f"{viewer.url}/dicom-web/studies")
    assert (answer.status_code, answer.text) == (502, "The PACS does not answer.")


def test_searches_are_not_logged(viewer: Viewer) -> None:
    httpx.get(f"{viewer.url}/dicom-web/studies?PatientName=MARKER*")
    time.sleep(0.2)
    assert "MARKER" not in (viewer.folder / "viewer.log").read_text()


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.skipif(not browser.CHROMIUM, reason="Chromium is not installed")
def test_radiologist_finds_the_study_and_sees_it(pacs: Orthanc, tmp_path: Path) -> None:
    with Viewer(tmp_path, pacs.url, dist=parts.ohif()) as viewer, browser.Reader() as reader:
        listed = reader.open_list(viewer.url)
        assert "Sample, Colin" in listed
        assert "MR brain, memory clinic" in listed
        assert reader.open_study(viewer.study_url(exam.study_uid())) == ["HippoCrop"]
        picture = reader.picture()
        assert picture.max() > 120
        assert picture.std() > 20
        assert reader.errors == []
