import http.client
import posixpath
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from urllib.parse import unquote

import httpx
import pydicom
import pytest
import uvicorn
from hypothesis import given, settings
from hypothesis import strategies as st

import browser
from hilum.viewer.proxy import application, resource
from hilum_lab.network import exam, parts
from hilum_lab.network.processes import available_port
from hilum_lab.network.viewer import Viewer
from tests.answering import answering, app_answering
from tests.archives import Orthanc
from tests.patience import PATIENCE


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
        head = httpx.head(f"{viewer.url}/dicom-web/studies")
    assert (answer.status_code, answer.text) == (502, "The PACS does not answer.")
    assert (head.status_code, head.text) == (502, "")  # passed on, too


class Forgetful(BaseHTTPRequestHandler):
    """Answers what is asked first over a connection, and ends it when it is asked again."""

    protocol_version = "HTTP/1.1"
    has_answered = False

    def do_GET(self) -> None:
        if self.has_answered:
            self.close_connection = True
            return
        self.has_answered = True
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"[]")

    def log_message(self, *_: object) -> None:
        """Nothing."""


def test_what_is_asked_while_the_pacs_ends_a_connection_is_asked_again(tmp_path: Path) -> None:
    """The viewer showed half a result for good where one frame of it was not answered."""
    port = available_port()
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), Forgetful)) as place:
        config = uvicorn.Config(application(tmp_path, f"http://{place}"), port=port)
        with app_answering(config, "the viewer's web server"), httpx.Client() as asking:
            studies = f"http://127.0.0.1:{port}/dicom-web/studies"
            assert [asking.get(studies).status_code for _ in range(4)] == [200] * 4


def test_searches_are_not_logged(viewer: Viewer) -> None:
    for _ in range(2):  # when the second one is answered, the first one is over
        httpx.get(f"{viewer.url}/dicom-web/studies?PatientName=MARKER*")
    assert "MARKER" not in (viewer.folder / "viewer.log").read_text()


PIECES = ("studies", "series", "1.2", "frames/1,2", "bulk/7FE00010", "/", "//", ".", "..", "%2e")
ODDER = ("%252e", "%2f", "\\", "%5c", "?", "#", ";", ":", "@", "\0", "\n", " ", "\u2024", "http://")
ELSEWHERE = ("system", "instances", "tools/reset", "modalities", "changes")
WAYS_OUT = (  # from below the studies to the rest of what the PACS offers
    "/dicom-web/../{}",
    "/dicom-web/..%2f{}",
    "/dicom-web/..%2F{}",
    "/dicom-web/%2e%2e/{}",
    "/dicom-web/%2e%2e%2f{}",
    "/dicom-web/.%2e/{}",
    "/dicom-web/%252e%252e%252f{}",
    "/dicom-web/%25252e%25252e%25252f{}",
    "/dicom-web/..%5c{}",
    "/dicom-web/..\\{}",
    "/dicom-web/%c0%ae%c0%ae/{}",
    "/dicom-web/..;/{}",
    "/dicom-web/studies/../../{}",
    "/dicom-web/studies/..%2f..%2f{}",
    "/dicom-web/studies/1.2/%2e%2e/%2e%2e/%2e%2e/{}",
    "/dicom-web/studies/..%00/..%2f{}",
    "/dicom-web/studies%2f..%2f..%2f{}",
    "/dicom-web/studies//../../{}",
    "/dicom-web/studies%3f/../../{}",
    "/dicom-web/studies%23/../../{}",
    "/dicom-web//{}",
    "/dicom-web/%2f%2f{pacs}/{}",
    "/dicom-web/http://{pacs}/{}",
    "/dicom-web/http:%2f%2f{pacs}%2f{}",
    "/dicom-web/studies/http://{pacs}/{}",
    "/dicom-web/@{pacs}/{}",
    "http://{pacs}/{}",
    "http://{pacs}/dicom-web/..%2f{}",
    "//{pacs}/{}",
    "/wado/../{}",
    "/wado%2f..%2f{}",
    "/dicom-web/servers",  # of the same plug-in: it can send to other machines
    "/dicom-web/info",
    "/dicom-web/",
    "/dicom-web",
    "/dicom-web/studiesx",
)


def answer_to(viewer: Viewer, target: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    """Status and content that the viewer answers to exactly this request target."""
    with closing(
        http.client.HTTPConnection("127.0.0.1", viewer.port, timeout=PATIENCE)
    ) as connection:
        connection.putrequest(method, target)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")


@pytest.mark.parametrize("way", WAYS_OUT)
def test_nothing_but_studies_is_passed_on(way: str, viewer: Viewer, pacs: Orthanc) -> None:
    for place in ELSEWHERE:
        target = way.replace("{pacs}", pacs.url.removeprefix("http://")).replace("{}", place)
        status, text = answer_to(viewer, target)
        assert status in (400, 404) or "<title>viewer</title>" in text, (status, text)


@given(st.lists(st.sampled_from(PIECES + ODDER), max_size=6).map(lambda p: "studies" + "".join(p)))
@settings(max_examples=300, deadline=None)
def test_no_path_leads_out_of_the_studies(way: str) -> None:
    """Whatever is passed on stays below the studies however often it is decoded and resolved."""
    passed_on = resource(way)
    if passed_on is not None:
        decoded = unquote(unquote(passed_on))
        assert posixpath.normpath(decoded) == passed_on.rstrip("/")
        assert passed_on.partition("/")[0] == "studies"
        assert "\\" not in decoded


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_the_viewer_only_reads(method: str, viewer: Viewer, pacs: Orthanc) -> None:
    for place in ("/dicom-web/studies", f"/dicom-web/studies/{exam.study_uid()}"):
        assert answer_to(viewer, place, method, Content_Length="0")[0] == 405
    assert httpx.get(f"{pacs.url}/statistics").json()["CountInstances"] == 35


def test_a_disguised_deletion_is_not_passed_on(viewer: Viewer, pacs: Orthanc) -> None:
    """Orthanc takes the method from this header or, of GET, from this argument."""
    place = f"/dicom-web/studies/{exam.study_uid()}"
    assert answer_to(viewer, f"{place}/series", X_HTTP_Method_Override="DELETE")[0] == 200
    for argument in ("_method=DELETE", "a=b&_method=delete", "%5fmethod=DELETE", "_METHOD=PUT"):
        assert answer_to(viewer, f"{place}/series?{argument}")[0] == 400
    assert httpx.get(f"{pacs.url}/statistics").json()["CountInstances"] == 35


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
