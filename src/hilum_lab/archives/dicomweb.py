"""A small DICOMweb origin server (PS3.18 10): STOW-RS and QIDO-RS."""

import json
import threading
from collections import Counter
from email import message_from_bytes
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import pydicom

from hilum_lab.network.processes import LOOPBACK, available_port

FAILED = {"full": 0xA700, "refuses": 0xC000}


class DicomwebArchive:
    """Takes by STOW-RS, shows by QIDO-RS.

    Attributes
    ----------
    mood
        "take"; "full" and "refuses" fail each instance; "drops" answers success and keeps nothing;
        "lags" keeps, and shows nothing yet; "hangs up" keeps, and gives no answer;
        "broken" answers nothing but 503; "deaf" takes, and answers all but the call
    sent
        How often each instance was sent, whatever the answer, by SOP Instance UID.
    holds
        The Series Instance UID of each instance that it keeps, by SOP Instance UID.
    asked
        How many searches it was asked.
    """

    def __init__(self, port: int = 0) -> None:
        self.mood = "take"
        self.sent: Counter[str] = Counter()
        self.holds: dict[str, str] = {}
        self.asked = 0
        self._server: ThreadingHTTPServer | None = None
        self.port = port or available_port()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"

    def open(self) -> None:
        """Start, or start again."""
        archive = self

        class Handler(_Handler):
            owner = archive

        self._server = ThreadingHTTPServer((LOOPBACK, self.port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Go down."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def take(self, body: bytes, content_type: str) -> tuple[int, object]:
        """Store the parts of a STOW-RS request; HTTP status and answer."""
        message = message_from_bytes(
            f"Content-Type: {content_type}\r\n\r\n".encode() + body, policy=HTTP
        )
        failed = []
        for part in message.iter_parts():
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)  # no part is itself of several parts
            dataset = pydicom.dcmread(BytesIO(content))
            self.sent[dataset.SOPInstanceUID] += 1
            if self.mood in ("take", "deaf", "lags", "hangs up"):
                self.holds[dataset.SOPInstanceUID] = dataset.SeriesInstanceUID
            elif self.mood in FAILED:
                reason = {"vr": "US", "Value": [FAILED[self.mood]]}
                failed.append({"00081197": reason})
        if failed:
            return 409, {"00081198": {"vr": "SQ", "Value": failed}}
        return 200, {}

    def show(self, path: str) -> object:
        """The instances of the series named in a QIDO-RS path, as DICOM JSON."""
        return [
            {"00080018": {"vr": "UI", "Value": [uid]}}
            for uid, series in self.holds.items()
            if series in path and self.mood != "lags"
        ]


class _Handler(BaseHTTPRequestHandler):
    owner: DicomwebArchive

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.owner.mood == "broken":
            self._answer(503, {})
            return
        if self.owner.mood == "hangs up":
            self.owner.take(body, self.headers["Content-Type"])
            self.close_connection = True
            return
        self._answer(*self.owner.take(body, self.headers["Content-Type"]))

    def do_GET(self) -> None:
        self.owner.asked += 1
        is_call = "limit=1" in self.path
        if self.owner.mood == "broken" or (self.owner.mood == "deaf" and is_call):
            self._answer(503, {})
        else:
            self._answer(200, self.owner.show(self.path))

    def _answer(self, status: int, value: object) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""
