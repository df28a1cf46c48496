"""A small DICOMweb archive that behaves as a test says: for what no real archive does on demand."""

import json
import threading
from collections import Counter
from email import message_from_bytes
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

import pydicom

from hilum_lab.network.processes import available_port

FAILED = {"full": 0xA700, "refuses": 0xC000}


class Archive:
    """Takes by STOW-RS, shows by QIDO-RS. `mood` is take, full, refuses, drops, broken or deaf.

    `sent` counts what was sent, by SOP Instance UID; `kept` maps those it holds to their series.
    """

    def __init__(self) -> None:
        self.mood = "take"
        self.sent: Counter[str] = Counter()
        self.kept: dict[str, str] = {}
        self.asked = 0
        self._server: ThreadingHTTPServer | None = None
        self._port = available_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Answer, on the same port as before."""
        archive = self

        class Handler(_Handler):
            owner = archive

        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        """Be gone."""
        assert self._server
        self._server.shutdown()
        self._server.server_close()

    def take(self, body: bytes, content_type: str) -> tuple[int, object]:
        """Store the parts of a STOW-RS request; HTTP status and answer."""
        message = message_from_bytes(
            f"Content-Type: {content_type}\r\n\r\n".encode() + body, policy=HTTP
        )
        failed = []
        for part in message.iter_parts():
            dataset = pydicom.dcmread(BytesIO(part.get_payload(decode=True)))
            self.sent[dataset.SOPInstanceUID] += 1
            if self.mood in ("take", "deaf"):
                self.kept[dataset.SOPInstanceUID] = dataset.SeriesInstanceUID
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
            for uid, series in self.kept.items()
            if series in path
        ]


class _Handler(BaseHTTPRequestHandler):
    owner: Archive

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
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
        """Keep the test's output clean."""
