"""A worklist manager as PS3.4 annex CC wants it: its state table, and what final states need.

`WorklistManager` decides as the standard does; `by_http` puts UPS-RS (PS3.18 chapter 11) before it.
"""

import base64
import hashlib
import json
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from pydicom.dataset import Dataset

from hilum_lab.network.processes import LOOPBACK
from tests.answering import answering

DONE = 0x0000
ALREADY_CANCELED, ALREADY_COMPLETED = 0xB304, 0xB306
IS_FINAL, WRONG_TRANSACTION, ALREADY_IN_PROGRESS = 0xC300, 0xC301, 0xC302
ONLY_BY_CREATION, NOT_MET, UNKNOWN, NOT_YET = 0xC303, 0xC304, 0xC307, 0xC310
SCHEDULED, IN_PROGRESS, COMPLETED, CANCELED = "SCHEDULED", "IN PROGRESS", "COMPLETED", "CANCELED"
CANNOT_CANCEL, NOBODY_TO_TELL = 0xC311, 0xC312
FINAL = (COMPLETED, CANCELED)

# PS3.4 table CC.1.1-2: what happens in which state when another one is asked for with the right
# Transaction UID; what is done into a final state has to meet the requirements of that, too.
TABLE = {
    (SCHEDULED, IN_PROGRESS): DONE,
    (SCHEDULED, SCHEDULED): ONLY_BY_CREATION,
    (SCHEDULED, COMPLETED): NOT_YET,
    (SCHEDULED, CANCELED): NOT_YET,
    (IN_PROGRESS, SCHEDULED): ONLY_BY_CREATION,
    (IN_PROGRESS, IN_PROGRESS): ALREADY_IN_PROGRESS,
    (IN_PROGRESS, COMPLETED): DONE,
    (IN_PROGRESS, CANCELED): DONE,
    (COMPLETED, SCHEDULED): ONLY_BY_CREATION,
    (COMPLETED, IN_PROGRESS): IS_FINAL,
    (COMPLETED, COMPLETED): ALREADY_COMPLETED,
    (COMPLETED, CANCELED): IS_FINAL,
    (CANCELED, SCHEDULED): ONLY_BY_CREATION,
    (CANCELED, IN_PROGRESS): IS_FINAL,
    (CANCELED, COMPLETED): IS_FINAL,
    (CANCELED, CANCELED): ALREADY_CANCELED,
}
HTTP_OF = {DONE: 200, ALREADY_CANCELED: 200, ALREADY_COMPLETED: 200, UNKNOWN: 404}


class WorklistManager:
    """The steps, by UID, and everything that was asked of them.

    `busy` are methods of HTTP; the next request with each is answered with 503. One that
    `writes_down` keeps a request to cancel in the step if it can tell it to nobody.
    """

    def __init__(self) -> None:
        self.steps: dict[str, Dataset] = {}
        self.claims: list[tuple[str, str]] = []  # UID of the step, Transaction UID
        self.progress: list[str] = []  # what was told, one after the other
        self.refused: list[int] = []
        self.busy: list[str] = []
        self.writes_down = False
        self.channels: dict[str, queue.SimpleQueue[str]] = {}  # open ones, by AE title
        self.subscribers: dict[str, str] = {}  # AE title by UID of the step
        self._owner: dict[str, str] = {}

    def schedule(
        self, uid: str, study_uid: str, code: str = "BRAIN", readiness: str = "READY"
    ) -> None:
        ds, item, source = Dataset(), Dataset(), Dataset()
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code, "99T", "Look at it"
        source.StudyInstanceUID, source.TypeOfInstances = study_uid, "DICOM"
        ds.SOPInstanceUID, ds.ProcedureStepState = uid, SCHEDULED
        ds.PatientName, ds.PatientID = "Marker^Patient", "marker-id"
        ds.ScheduledWorkitemCodeSequence = [item]
        ds.InputInformationSequence = [source]
        ds.InputReadinessState = readiness
        self.steps[uid] = ds

    def found(self, state: str) -> list[Dataset]:
        return [ds for ds in self.steps.values() if ds.ProcedureStepState == state]

    def state(self, uid: str) -> str:
        return str(self.steps[uid].ProcedureStepState)

    def change_state(self, uid: str, change: Dataset) -> int:
        """Change UPS State (CC.2.1)."""
        return self._noted(self._changed(uid, change))

    def update(self, uid: str, change: Dataset) -> int:
        """Set information (CC.2.6)."""
        return self._noted(self._updated(uid, change))

    def take(self, uid: str, transaction_uid: str) -> None:
        """Another performer claims it."""
        change = Dataset()
        change.TransactionUID, change.ProcedureStepState = transaction_uid, IN_PROGRESS
        assert self.change_state(uid, change) == DONE

    def request_cancel(self, uid: str) -> int:
        """Request UPS Cancel (CC.2.2): the performer decides, if it can be told."""
        if self.state(uid) in FINAL:
            return ALREADY_CANCELED if self.state(uid) == CANCELED else CANNOT_CANCEL
        if self.state(uid) == SCHEDULED:
            self.steps[uid].ProcedureStepState = CANCELED
            return DONE
        channel = self.channels.get(self.subscribers.get(uid, ""))
        if channel is None and self.writes_down:
            item = Dataset()
            item.ReasonForCancellation = "Marker^Reason"
            self.steps[uid].ProcedureStepProgressInformationSequence = [item]
            return DONE
        if channel is None:
            return NOBODY_TO_TELL
        event = Dataset()
        event.AffectedSOPInstanceUID, event.EventTypeID = uid, 2
        event.ReasonForCancellation = "Marker^Reason"
        channel.put(json.dumps(event.to_json_dict()))
        return DONE

    def _noted(self, status: int) -> int:
        if status not in (DONE, ALREADY_CANCELED, ALREADY_COMPLETED):
            self.refused.append(status)
        return status

    def _changed(self, uid: str, change: Dataset) -> int:
        if uid not in self.steps:
            return UNKNOWN
        state, wanted = self.state(uid), str(change.ProcedureStepState)
        transaction = str(change.get("TransactionUID", ""))
        if not transaction or (state == IN_PROGRESS != wanted and self._owner[uid] != transaction):
            return WRONG_TRANSACTION
        status = TABLE[state, wanted]
        if status == DONE and wanted in FINAL and not _meets(self.steps[uid], wanted):
            return NOT_MET
        if status == DONE:
            self.steps[uid].ProcedureStepState = wanted
        if status == DONE and wanted == IN_PROGRESS:
            self._owner[uid] = transaction
            self.claims.append((uid, transaction))
        return status

    def _updated(self, uid: str, change: Dataset) -> int:
        if uid not in self.steps:
            return UNKNOWN
        if self.state(uid) in FINAL:
            return IS_FINAL
        transaction = str(change.get("TransactionUID", ""))
        if self.state(uid) == SCHEDULED:
            return NOT_YET if transaction else DONE
        if self._owner[uid] != transaction:
            return WRONG_TRANSACTION
        del change.TransactionUID  # nobody else is told it
        assert "ProcedureStepState" not in change  # it is changed in another way
        self.steps[uid].update(change)
        for item in change.get("ProcedureStepProgressInformationSequence", ()):
            self.progress.append(str(item.get("ProcedureStepProgressDescription", "")))
        return DONE


def _meets(ds: Dataset, wanted: str) -> bool:
    """Whether it has what the column "Final State" of table CC.2.5-3 asks for."""
    if wanted == CANCELED:
        [item] = ds.get("ProcedureStepProgressInformationSequence") or [Dataset()]
        has_reason = item.get("ProcedureStepDiscontinuationReasonCodeSequence")
        return bool(has_reason and item.get("ProcedureStepCancellationDateTime"))
    [item] = ds.get("UnifiedProcedureStepPerformedProcedureSequence") or [Dataset()]
    needed = ("PerformedProcedureStepStartDateTime", "PerformedProcedureStepEndDateTime")
    needed += ("PerformedStationNameCodeSequence", "PerformedWorkitemCodeSequence")
    return all(item.get(key) for key in needed) and "OutputInformationSequence" in item


@contextmanager
def by_http(manager: WorklistManager, port: int = 0) -> Iterator[str]:
    """Answers UPS-RS at the address that is given, on `port` or on a free one."""

    class Handler(_Handler):
        owner = manager

    with answering(ThreadingHTTPServer((LOOPBACK, port), Handler)) as address:
        yield f"http://{address}/dicom-web"


class _Handler(BaseHTTPRequestHandler):
    owner: WorklistManager
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path, query = self._asked()
        if path == ["workitems"]:
            assert query["ProcedureStepState"] == [SCHEDULED]
            start, limit = int(query["offset"][0]), int(query["limit"][0])
            found = self.owner.found(SCHEDULED)[start : start + limit]
            self._answer(200 if found else 204, found)
        elif path[0] == "subscribers":
            self._tell_events(path[1])
        elif path[0] == "workitems" and path[1] in self.owner.steps:
            self._answer(200, [self.owner.steps[path[1]]])
        else:
            self._answer(404, [])

    def do_POST(self) -> None:
        path, query = self._asked()
        if path[2:3] == ["subscribers"]:
            self.owner.subscribers[path[1]] = path[3]
            address = f"ws://{self.headers['Host']}/dicom-web/subscribers/{path[3]}"
            self._answer(201, [], place=address)
            return
        change = self._sent()
        if change is not None and query.get("transaction") == [str(change.TransactionUID)]:
            self._end(self.owner.update(path[1], change))

    def do_PUT(self) -> None:
        path, _ = self._asked()
        change = self._sent()
        if change is not None and path[2:] == ["state"]:
            self._end(self.owner.change_state(path[1], change))

    def _tell_events(self, title: str) -> None:
        """A web socket (RFC 6455): the handshake, then one unmasked text frame for each event."""
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()
        channel = self.owner.channels[title] = queue.SimpleQueue()
        while event := channel.get():
            body = event.encode()
            self.wfile.write(bytes([0x81, 126]) + len(body).to_bytes(2, "big") + body)
        self.wfile.write(bytes([0x88, 0]))
        self.close_connection = True

    def _asked(self) -> tuple[list[str], dict[str, list[str]]]:
        parts = urlsplit(self.path)
        return parts.path.removeprefix("/dicom-web/").split("/"), parse_qs(parts.query)

    def _sent(self) -> Dataset | None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.command in self.owner.busy:
            self.owner.busy.remove(self.command)
            self._answer(503, [])
            return None
        assert self.headers["Content-Type"] == "application/dicom+json"
        [ds] = json.loads(body)
        return Dataset.from_json(ds)

    def _end(self, status: int) -> None:
        warning = f"299 {LOOPBACK}: {status:04X}" if status else ""
        self._answer(HTTP_OF.get(status, 400 if status == WRONG_TRANSACTION else 409), [], warning)

    def _answer(
        self, status: int, found: list[Dataset], warning: str = "", place: str = ""
    ) -> None:
        body = json.dumps([ds.to_json_dict() for ds in found]).encode() if found else b""
        self.send_response(status)
        if warning:
            self.send_header("Warning", warning)
        if place:
            self.send_header("Content-Location", place)
        self.send_header("Content-Type", "application/dicom+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
