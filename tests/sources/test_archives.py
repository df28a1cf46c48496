"""One contract for every source that is watched, against a real archive; what only one kind has."""

import json
import ssl
import subprocess
from collections.abc import Callable, Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pydicom
import pytest
from pydicom.uid import JPEG2000Lossless, RLELossless
from typer.testing import CliRunner

from hilum.cli import app
from hilum.config.tls import Tls
from hilum.destinations import open_destination
from hilum.destinations.dicomweb import DicomwebDestinationSettings
from hilum.errors import DeliveryRefused, SourceDelayed
from hilum.kinds import SOURCES
from hilum.sources import Listed, Source, answer_of, open_source
from hilum.sources.dicomweb import DicomwebSourceSettings, part_of
from hilum.testing import check_source, results_of
from hilum_lab.network.processes import available_port
from tests.answering import answering
from tests.archives import Orthanc
from tests.sources.watching import upload
from tests.synthetic import uid, write_series

TODAY = f"{date.today():%Y%m%d}"


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    with Orthanc(tmp_path_factory.mktemp("orthanc")) as running:
        yield running


def remove(orthanc: Orthanc, path: Path) -> None:
    uid = str(pydicom.dcmread(path, specific_tags=["SOPInstanceUID"]).SOPInstanceUID)
    with httpx.Client(base_url=orthanc.url) as client:
        found = client.post("/tools/lookup", content=uid).json()
        client.delete(found[0]["Path"]).raise_for_status()


@pytest.fixture(params=["orthanc", "dicomweb"])
def opened(request: pytest.FixtureRequest, orthanc: Orthanc) -> Callable[[], Source]:
    url = {"orthanc": orthanc.url, "dicomweb": orthanc.dicomweb_url}[request.param]
    settings = SOURCES.load(request.param).settings(name="archive", url=url)
    return lambda: open_source(settings)


def compressed(path: Path, syntax: str) -> Path:
    dataset = pydicom.dcmread(path)
    dataset.compress(syntax, generate_instance_uid=False)
    dataset.save_as(path, enforce_file_format=True)
    return path


def test_the_contract(opened: Callable[[], Source], orthanc: Orthanc, tmp_path: Path) -> None:
    one = write_series(tmp_path / "one", 3, StudyDate=TODAY)
    study = str(pydicom.dcmread(one[0]).StudyInstanceUID)
    other = write_series(tmp_path / "other", 2, StudyDate=TODAY, StudyInstanceUID=study)
    compressed(other[0], RLELossless)
    compressed(other[1], JPEG2000Lossless)
    check_source(
        opened,
        lambda files: upload(orthanc, files),
        lambda path: remove(orthanc, path),
        [*one, *other],
    )


STUDIES = ["1.2.0", "1.2.1", "1.2.2", "../../system", "1.2.4", "1.2.5", "1.2.6"]


class Nothing:
    """Holdings of a new site."""

    def holds(self, instance: Listed) -> bool:
        return False

    def md5(self, instance: Listed) -> str | None:
        return None


class _Archive(BaseHTTPRequestHandler):
    """A DICOMweb archive that gives at most three matches in one answer."""

    knows_offset = True

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        tag = {"studies": "0020000D", "series": "0020000E"}.get(url.path.split("/")[-1], "00080018")
        names = STUDIES if tag == "0020000D" else ["1.2.3"]
        first = int(query.get("offset", ["0"])[0]) if self.knows_offset else 0
        found = names[first : first + min(int(query["limit"][0]), 3)]
        items = [{tag: {"vr": "UI", "Value": [name]}} for name in found]
        content = json.dumps(items).encode() if found else b""
        self.send_response(200 if found else 204)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.mark.parametrize("knows_offset", [True, False])
def test_an_archive_with_limits_of_its_own_is_read_to_the_end(knows_offset: bool) -> None:
    """It gives less than was asked for, may not know `offset`, and tells no counts."""
    _Archive.knows_offset = knows_offset
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), _Archive)) as address:
        url = f"http://{address}"
        source = open_source(DicomwebSourceSettings(name="web", url=url, since="beginning"))
        source.resume("", Nothing())
        news = {i.study_uid for portion in source.news() for i in portion.instances}
        sweep = {i.study_uid for portion in source.sweep() for i in portion.instances}
        source.close()
    listed = STUDIES if knows_offset else STUDIES[:3]
    assert news == sweep == set(listed) - {"../../system"}


def test_what_was_there_before_is_left_alone_until_it_changes(
    orthanc: Orthanc, tmp_path: Path
) -> None:
    """DICOMweb lists studies; those there were at the first use are known by their counts."""
    (old,) = write_series(tmp_path / "old", 1, StudyDate=TODAY)
    study = str(pydicom.dcmread(old).StudyInstanceUID)
    upload(orthanc, [old])
    settings = DicomwebSourceSettings(name="web", url=orthanc.dicomweb_url, modalities=("MR",))
    source = open_source(settings)
    cursor = source.resume("", Nothing())
    assert study not in {i.study_uid for portion in source.news() for i in portion.instances}
    other = write_series(tmp_path / "ct", 1, StudyDate=TODAY, Modality="CT")
    last_year = write_series(tmp_path / "last-year", 1, StudyDate="20200101")
    new = write_series(tmp_path / "new", 2, StudyDate=TODAY, StudyInstanceUID=study)
    upload(orthanc, [*other, *last_year, *new])
    source.resume(cursor, Nothing())
    listed = [i.sop_instance_uid for portion in source.news() for i in portion.instances]
    source.close()
    assert sorted(listed) == sorted(uid(path) for path in [old, *new])


@pytest.mark.parametrize(
    ("body", "content_type", "part"),
    [
        (b"DICM", "application/dicom", b"DICM"),
        (b"--x\r\nA: b\r\n\r\nDI\r\nCM\r\n--x--", 'multipart/related; boundary="x"', b"DI\r\nCM"),
        (b"pre\r\n--x\r\n\r\nDICM\r\n--x--\r\n", "Multipart/Related; Boundary=x; y=z", None),
    ],
)
def test_parts_of_an_answer(body: bytes, content_type: str, part: bytes | None) -> None:
    assert part_of(body, content_type) == (part or b"DICM")


def test_an_answer_that_was_cut_short_is_asked_for_again() -> None:
    for body in (b"", b"--x\r\nA: b", b"--x\r\n\r\nDICM", b"--x\r\n\r\nDICM\r\n--"):
        with pytest.raises(SourceDelayed):
            part_of(body, "multipart/related; boundary=x")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """Certificate and key of a server on loopback, signed by nobody the system knows."""
    path = tmp_path / "server.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=archive"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", path, "-out", path]
    subprocess.run(command, check=True, capture_output=True)
    return path


def test_a_certificate_has_to_be_known(certificate: Path, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Archive)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with answering(server) as address:
        url = f"HTTPS://{address}"
        destination = DicomwebDestinationSettings(name="web", url=url)
        unknown = answer_of(DicomwebSourceSettings(name="web", url=url))
        with pytest.raises(DeliveryRefused, match="name who signed it"):
            list(open_destination(destination).send(results_of(write_series(tmp_path / "scan", 1))))
        tls = Tls(ca_file=certificate)
        known = answer_of(DicomwebSourceSettings(name="web", url=url, tls=tls))
    assert not unknown[0]
    assert "name who signed it as ca_file in tls" in unknown[1]
    assert known[0]
    assert "answers QIDO-RS" in known[1]


def test_the_command_asks_every_archive(orthanc: Orthanc, tmp_path: Path) -> None:
    config = tmp_path / "hilum.toml"
    there = f'[[source]]\nname = "there"\nkind = "orthanc"\nurl = "{orthanc.url}"\n'
    config.write_text(f'data = "{tmp_path}/data"\n{there}')
    answered = CliRunner().invoke(app, ["sources", "--config", str(config)])
    assert answered.exit_code == 0
    assert "source there (orthanc)  not started" in answered.stdout
    assert "Orthanc 1." in answered.stdout
    away = f'[[source]]\nname = "away"\nkind = "dicomweb"\nurl = "http://127.0.0.1:{available_port()}"\n'
    config.write_text(f'data = "{tmp_path}/data"\n{there}{away}')
    failed = CliRunner().invoke(app, ["sources", "--json", "--config", str(config)])
    assert failed.exit_code == 1
    shown = {view["name"]: view for view in json.loads(failed.stdout)}
    assert [shown[name]["answers"] for name in ("there", "away")] == [True, False]
    assert "cannot be reached" in shown["away"]["answer"]
