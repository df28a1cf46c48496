"""A small DICOMweb origin server (PS3.18 10): STOW-RS and QIDO-RS."""

import json
import ssl
import subprocess
import threading
from collections.abc import Mapping, Sequence
from email import message_from_bytes
from email.policy import HTTP
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pydicom
from pydicom.dataset import Dataset

from hilum.dicom.header import text_of
from hilum_lab.archives.behaviour import EVERY, StowBody, WebBehaviour
from hilum_lab.archives.holdings import ArchiveHoldings
from hilum_lab.network.processes import LOOPBACK, available_port

FULL, CANNOT_UNDERSTAND = 0xA700, 0xC000
DICOM_JSON, DICOM_XML = "application/dicom+json", "application/dicom+xml"
QUERY_KEYS = ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "PatientID")
LEVELS = (("instances", "IMAGE"), ("series", "SERIES"), ("studies", "STUDY"))  # the first one in
SHOWN = (
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "SOPInstanceUID",
    "PatientID",
    "IssuerOfPatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "AccessionNumber",
)
WELL = WebBehaviour()


class DicomwebArchive(ArchiveHoldings):
    """Takes by STOW-RS and shows by QIDO-RS as its `behaviour` says.

    Attributes
    ----------
    asked
        How many searches it was asked.
    query_url
        Where it can be asked, too, if it is asked elsewhere than it is sent to.
    """

    def __init__(self, port: int = 0, folder: Path | None = None) -> None:
        super().__init__()
        self.behaviour = WELL
        self.asked = 0
        self.port = port or available_port()
        self._tls_port = available_port() if folder else 0
        self._folder = folder
        self._requests = 0  # of STOW-RS, since the opening
        self._servers: list[ThreadingHTTPServer] = []

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def https_url(self) -> str:
        """The same by https; `certificate` is trusted."""
        return f"https://{LOOPBACK}:{self._tls_port}"

    @property
    def certificate(self) -> Path:
        """Of the archive, signed by itself, in the folder that was given."""
        assert self._folder
        return self._folder / "archive.pem"

    @property
    def query_url(self) -> str:
        return f"{self.url}/queries"

    def open(self, behaviour: WebBehaviour = WELL) -> None:
        """Start, or start again, and behave like that from now on."""
        self.close()
        self.behaviour, self._requests = behaviour, 0
        archive = self

        class Handler(_Handler):
            owner = archive

        self._listen(ThreadingHTTPServer((LOOPBACK, self.port), Handler))
        if behaviour.is_encrypted:
            server = ThreadingHTTPServer((LOOPBACK, self._tls_port), Handler)
            server.socket = self._context().wrap_socket(server.socket, server_side=True)
            self._listen(server)

    def close(self) -> None:
        """Go down."""
        while self._servers:
            server = self._servers.pop()
            server.shutdown()
            server.server_close()

    def _listen(self, server: ThreadingHTTPServer) -> None:
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def _context(self) -> ssl.SSLContext:
        key = self.certificate.with_suffix(".key")
        if not self.certificate.exists():
            words = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
            words += ["-nodes", "-days", "2", "-subj", f"/CN={LOOPBACK}"]
            words += ["-addext", f"subjectAltName=IP:{LOOPBACK}"]
            files = ["-keyout", str(key), "-out", str(self.certificate)]
            subprocess.run(["openssl", *words, *files], check=True, capture_output=True)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate, key)
        return context

    def take(self, body: bytes, content_type: str) -> tuple[int, Dataset]:
        """Store the parts of a STOW-RS request; HTTP status, and what it says of them."""
        behaviour = self.behaviour
        is_cut_off = self._requests < behaviour.drop_first
        is_full = self._requests < behaviour.full_first
        self._requests += 1
        taken: list[Dataset] = []
        failed: list[Dataset] = []
        for header in _headers_in(body, content_type):
            reasons = behaviour.reasons
            reason = reasons.get(str(header.SOPClassUID), reasons.get(EVERY, 0))
            reason = FULL if is_full else reason
            self.note(header, not reason and not is_cut_off)
            item = _reference(header)
            if reason:
                item.FailureReason = reason
            elif behaviour.drop_keeps or not is_cut_off:
                self.hold(header, behaviour)
            (failed if reason else taken).append(item)
        if is_cut_off:
            raise ConnectionAbortedError
        return _answer(taken[:1] if behaviour.names_one else taken, failed)

    def refusal(self, size: int) -> int:
        """With which status a STOW-RS request is refused before it is read; 0 if it is not."""
        behaviour = self.behaviour
        if behaviour.largest_bytes and size > behaviour.largest_bytes:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if self._requests < behaviour.busy_first:
            self._requests += 1
            return HTTPStatus.SERVICE_UNAVAILABLE
        return behaviour.stow_status

    def show(self, path: str) -> list[dict[str, object]]:
        """The matches of a QIDO-RS request, or the metadata of one instance, as DICOM JSON."""
        address = urlsplit(path)
        parts = address.path.strip("/").split("/")
        asked = Dataset()
        for keyword, values in parse_qs(address.query).items():
            if keyword in QUERY_KEYS:
                setattr(asked, keyword, values[0])
        for name, keyword in zip(("studies", "series", "instances"), QUERY_KEYS, strict=False):
            if name in parts[:-1]:
                setattr(asked, keyword, parts[parts.index(name) + 1])
        level = next((level for name, level in LEVELS if name in parts), "STUDY")
        found = self.matches(level, asked, self.behaviour)
        return [_shown(header).to_json_dict() for header in found]


def _headers_in(body: bytes, content_type: str) -> list[Dataset]:
    """What stands in the parts of a STOW-RS request (PS3.18 8.6.1.2), without the pixels."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    headers: list[Dataset] = []
    for part in message_from_bytes(head + body, policy=HTTP).iter_parts():
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)  # no part is itself of several parts
        headers.append(pydicom.dcmread(BytesIO(content), stop_before_pixels=True))
    return headers


def _reference(header: Dataset) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = header.SOPClassUID
    item.ReferencedSOPInstanceUID = header.SOPInstanceUID
    return item


def _shown(header: Dataset) -> Dataset:
    shown = Dataset()
    for keyword in SHOWN:
        if text := text_of(header, keyword):
            setattr(shown, keyword, text)
    return shown


class _Handler(BaseHTTPRequestHandler):
    owner: DicomwebArchive

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self._is_turned_away():
            return
        behaviour = self.owner.behaviour
        if status := self.owner.refusal(len(body)):
            self._answer(status, b"", self._pause(status))
            return
        try:
            status, said = self.owner.take(body, self.headers["Content-Type"])
        except ConnectionAbortedError:
            self.close_connection = True
            return
        headers = {"Warning": behaviour.warning} if behaviour.warning else {}
        if behaviour.body is StowBody.EMPTY:
            self._answer(status, b"", headers)
        elif behaviour.body is StowBody.XML:
            content = b'<?xml version="1.0"?><NativeDicomModel/>'
            self._answer(status, content, headers | {"Content-Type": DICOM_XML})
        else:
            content = json.dumps(said.to_json_dict()).encode()
            self._answer(status, content, headers | {"Content-Type": DICOM_JSON})

    def do_GET(self) -> None:
        self.owner.asked += 1
        if self._is_turned_away():
            return
        behaviour = self.owner.behaviour
        is_elsewhere = self.path.startswith("/queries")
        is_call = "limit=1" in self.path
        status = (behaviour.call_status if is_call else 0) or behaviour.qido_status
        if status and not is_elsewhere:
            self._answer(status, b"", self._pause(status))
            return
        found = self.owner.show(self.path)
        if not found and self.path.endswith("/metadata"):
            self._answer(HTTPStatus.NOT_FOUND, b"", {})
            return
        self._answer(
            HTTPStatus.OK, json.dumps(found).encode(), {"Content-Type": behaviour.content_type}
        )

    def _is_turned_away(self) -> bool:
        """Whether the request was sent on, or lacks the token, and is answered."""
        behaviour = self.owner.behaviour
        if behaviour.redirects and self.path.startswith("/old"):
            place = f"{behaviour.redirect_to or self.owner.url}/new{self.path.removeprefix('/old')}"
            self._answer(behaviour.redirects, b"", {"Location": place})
            return True
        if behaviour.token and self.headers["Authorization"] != f"Bearer {behaviour.token}":
            self._answer(HTTPStatus.UNAUTHORIZED, b"", {"WWW-Authenticate": "Bearer"})
            return True
        return False

    def _pause(self, status: int) -> dict[str, str]:
        """The header that says when to ask again, where it is busy."""
        is_busy = status == HTTPStatus.SERVICE_UNAVAILABLE and self.owner.behaviour.busy_first
        return {"Retry-After": self.owner.behaviour.retry_after} if is_busy else {}

    def _answer(self, status: int, content: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


def _answer(taken: Sequence[Dataset], failed: Sequence[Dataset]) -> tuple[int, Dataset]:
    answer = Dataset()
    if taken:
        answer.ReferencedSOPSequence = taken
    if failed:
        answer.FailedSOPSequence = failed
        return HTTPStatus.ACCEPTED if taken else HTTPStatus.CONFLICT, answer
    return HTTPStatus.OK, answer
