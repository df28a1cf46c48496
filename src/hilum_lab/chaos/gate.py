"""The gate between Hilum and the PACS: passes DICOMweb on, stops it at a named step, counts it.

`PacsProxy` is for DICOMweb and knows what it carries; `Wire` carries any TCP and can be cut.
"""

import http.client
import io
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pydicom

from hilum_lab.network.processes import LOOPBACK

Action = Callable[[], bool]  # whether the request goes on; else its connection is cut
SEND, SENT = "send", "sent"  # a STOW request came; the PACS has answered it, Hilum not heard yet
READ_BACK, SHOWN = "read back", "shown"  # the same of the first query after a STOW request
STEPS = (SEND, SENT, READ_BACK, SHOWN)
SILENT_SECONDS = 30.0
OF_ONE_HOP = ("connection", "host", "accept-encoding")
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Sending:
    """One SOP instance in one STOW request, and whether the PACS said that it took it."""

    sop_instance_uid: str
    taken: bool


@dataclass(frozen=True)
class Reply:
    """How the gate answers a STOW request in place of the PACS, which never hears of it.

    `reason` is the failure reason of every instance (PS3.18 I.2.2), 0 the lie that all were stored.
    """

    status: int
    reason: int | None = None


class PacsProxy:
    """A reverse proxy before the PACS at `pacs_port`; `port` is where Hilum finds it."""

    def __init__(self, pacs_port: int, port: int) -> None:
        self.pacs_port = pacs_port
        self.port = port
        self.sendings: list[Sending] = []
        self.refusals = 0  # STOW requests the gate answered itself
        self._reply: Reply | None = None
        self._silent = threading.Event()
        self._actions: dict[str, Action] = {}
        self._stowed: set[str] = set()  # studies whose next query is a read-back
        self._lock = threading.Lock()
        self._server: _Server | None = None

    def open(self) -> None:
        """Let everything through."""
        self._reply = None
        self._silent.clear()
        self._actions.clear()
        if self._server is None:
            self._server = _Server((LOOPBACK, self.port), self)
            poll = (POLL_SECONDS,)
            threading.Thread(target=self._server.serve_forever, args=poll, daemon=True).start()

    def close(self) -> None:
        """The PACS is down: connections are refused, open ones cut."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.cut()
            self._server = None

    def answer(self, reply: Reply) -> None:
        """Answer every STOW request with `reply` until the gate is opened again."""
        self._reply = reply

    def be_silent(self) -> None:
        """Take every request and never answer, until the gate is opened again."""
        self._silent.set()

    def at(self, step: str, action: Action) -> threading.Event:
        """Do `action` at the next request that comes to `step`, once; the event is set then."""
        reached = threading.Event()

        def once() -> bool:
            try:
                return action()
            finally:
                reached.set()

        self._actions[step] = once
        return reached

    # What happens to one request, in its thread ---------------------------------------------------

    def handle(self, method: str, path: str, headers: dict[str, str], body: bytes) -> "_Answer":
        """The answer to one request; `ConnectionAbortedError` if it is to hear none."""
        if self._silent.is_set():
            time.sleep(SILENT_SECONDS)
            raise ConnectionAbortedError
        before, after = (SEND, SENT) if method == "POST" else self._query_steps(path)
        self._reach(before)
        if method == "POST" and self._reply:
            answer = self._own_answer(self._reply, _uids_in(headers, body))
        else:
            answer = _ask(self.pacs_port, method, path, headers, body)
            if method == "POST":
                self._count(answer, headers, body)
        self._reach(after)
        return answer

    def _query_steps(self, path: str) -> tuple[str, str]:
        study_uid = _study_in(path)
        with self._lock:
            if study_uid not in self._stowed:
                return "", ""  # asked before anything is sent
            self._stowed.discard(study_uid)
        return READ_BACK, SHOWN

    def _reach(self, step: str) -> None:
        with self._lock:
            action = self._actions.pop(step, None)
        if action and not action():
            raise ConnectionAbortedError

    def _own_answer(self, reply: Reply, uids: list[tuple[str, str]]) -> "_Answer":
        self.refusals += 1
        if reply.reason is None:
            return _Answer(reply.status, {}, b"")
        with self._lock:
            self.sendings += [Sending(uid, reply.reason == 0) for _, uid in uids]
        with self._lock:
            self._stowed |= {study_uid for study_uid, _ in uids}
        name, key = ("00081199", "") if reply.reason == 0 else ("00081198", "00081197")
        items = []
        for _, uid in uids:
            item: dict[str, Any] = {"00081155": {"vr": "UI", "Value": [uid]}}
            if key:
                item[key] = {"vr": "US", "Value": [reply.reason]}
            items.append(item)
        content = json.dumps({name: {"vr": "SQ", "Value": items}}).encode()
        return _Answer(reply.status, {"Content-Type": "application/dicom+json"}, content)

    def _count(self, answer: "_Answer", headers: dict[str, str], body: bytes) -> None:
        taken = answer.status == http.client.OK
        uids = _uids_in(headers, body)
        with self._lock:
            self.sendings += [Sending(uid, taken) for _, uid in uids]
            self._stowed |= {study_uid for study_uid, _ in uids}


class Wire:
    """Carries TCP from `port` to `target` until it is cut."""

    def __init__(self, target: int, port: int) -> None:
        self.target = target
        self.port = port
        self._listener: socket.socket | None = None
        self._ends: list[socket.socket] = []

    def open(self) -> None:
        """Accept and carry connections."""
        if self._listener is None:
            self._listener = socket.create_server((LOOPBACK, self.port), backlog=64)
            threading.Thread(target=self._serve, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Refuse connections, and break those that are there."""
        if self._listener is not None:
            listener, self._listener = self._listener, None
            for end in (listener, *self._ends):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()
            self._ends.clear()

    def _serve(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                try:
                    far = socket.create_connection((LOOPBACK, self.target), timeout=5)
                except OSError:
                    near.close()
                    continue
                far.settimeout(None)
                self._ends = [end for end in self._ends if end.fileno() >= 0] + [near, far]
                for pair in ((near, far), (far, near)):
                    for end in pair:
                        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    threading.Thread(target=_carry, args=pair, daemon=True).start()


def _carry(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(1 << 16):
            sink.sendall(data)
    for end in (source, sink):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
    source.close()


@dataclass(frozen=True)
class _Answer:
    status: int
    headers: dict[str, str]
    content: bytes


def _ask(port: int, method: str, path: str, headers: dict[str, str], body: bytes) -> _Answer:
    with closing(http.client.HTTPConnection(LOOPBACK, port, timeout=60)) as pacs:
        try:
            pacs.request(method, path, body or None, headers)
            answer = pacs.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise ConnectionAbortedError from error  # the PACS itself is down
    kept = {"Content-Type": answer.getheader("Content-Type", "application/octet-stream")}
    return _Answer(answer.status, kept, content)


def _study_in(path: str) -> str:
    parts = path.split("/")
    return parts[parts.index("studies") + 1] if "studies" in parts[:-1] else ""


def _uids_in(headers: dict[str, str], body: bytes) -> list[tuple[str, str]]:
    """Study and SOP Instance UID of every part of a STOW request (PS3.18 8.6.1.2)."""
    boundary = headers["content-type"].rpartition("boundary=")[2].strip('"').encode()
    uids = []
    for part in body.split(b"--" + boundary)[1:-1]:
        content = part.partition(b"\r\n\r\n")[2]
        header = pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True)
        uids.append((str(header.StudyInstanceUID), str(header.SOPInstanceUID)))
    return uids


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], gate: PacsProxy) -> None:
        self.gate = gate
        self._connections: dict[int, socket.socket] = {}
        self._numbers = itertools.count()
        super().__init__(address, _Handler)

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._connections[next(self._numbers)] = connection
        return connection, address

    def cut(self) -> None:
        for connection in self._connections.values():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Do not report broken connections: this server breaks them on purpose."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._pass_on()

    def do_POST(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {k.lower(): v for k, v in self.headers.items() if k.lower() not in OF_ONE_HOP}
        try:
            answer = self.server.gate.handle(self.command, self.path, headers, body)
        except ConnectionAbortedError:
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.content)))
        self.end_headers()
        self.wfile.write(answer.content)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: addresses hold UIDs, and there are many."""
