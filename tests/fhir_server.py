"""A small FHIR R4 server with the rules that matter: versions, conditional updates, transactions.

Each resource that comes must fit the models of `fhir.resources`, which are not ours. A transaction
is done whole or not at all (FHIR R4 3.1.0.11.2); a conditional update makes what is not there,
updates the only one that matches, and fails with 412 where several do (3.1.0.4.3).
"""

import copy
import itertools
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from fhir.resources.R4B import get_fhir_model_class
from pydantic import ValidationError

from hilum_lab.network.processes import LOOPBACK, available_port

SYSTEM = "urn:oid:2.999.1"  # of its patients
SECRET = "Marker^Words"  # of an OperationOutcome, which may hold patient data
LARGEST_PAGE = 50

Resource = dict[str, Any]


@dataclass(frozen=True)
class FhirBehaviour:
    """How it behaves; what is not said is as it should be.

    `status` and `retry_after` are of the answer to every transaction; of the first `drop_first` the
    connection is closed without an answer, after they were done if it `drop_keeps`. `meta_status`
    is of the answer to the question what it can do. One that `keeps` nothing accepts all the same;
    `page`: it says that more was found; `is_login`: a transaction is answered by a login page.
    `change` is what it does to each resource that it stores. `entry_status` is what it answers
    of the last entry, which it leaves out: it takes a transaction for a batch. `meanwhile` is what
    somebody else does there before each transaction. What is put over a version that is no longer
    the newest is refused with `conflict_status`, by some with 409.
    """

    status: int = 0
    retry_after: str = ""
    drop_first: int = 0
    drop_keeps: bool = True
    meta_status: int = 0
    version: str = "4.0.1"
    transactions: bool = True
    search_status: int = 0
    ignores_identifiers: bool = False
    keeps: bool = True
    page: bool = False
    is_login: bool = False
    entry_status: str = ""
    meanwhile: Callable[[], None] = lambda: None
    conflict_status: int = 412
    change: Callable[[Resource], None] = lambda _resource: None


WELL = FhirBehaviour()


class RefusedError(Exception):
    """An OperationOutcome with an HTTP status."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class FhirServer:
    """Keeps every version of every resource.

    Attributes
    ----------
    history
        The versions of each resource, by `Kind/id`, the oldest first.
    asked
        The request lines, as servers on the way log them.
    bodies
        How often each body of a transaction has come.
    """

    def __init__(self) -> None:
        self.behaviour = WELL
        self.port = available_port()
        self.history: dict[str, list[Resource]] = {}
        self.asked: list[str] = []
        self.bodies: Counter[bytes] = Counter()
        self._ids = itertools.count(1)
        self._dropped = 0
        self._servers: list[ThreadingHTTPServer] = []
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/fhir"

    def open(self, behaviour: FhirBehaviour = WELL) -> None:
        """Start, or start again, and behave like that from now on."""
        self.close()
        self.behaviour, self._dropped = behaviour, 0
        handler = type("Handler", (_Handler,), {"owner": self})
        server = ThreadingHTTPServer((LOOPBACK, self.port), handler)
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Go down."""
        while self._servers:
            server = self._servers.pop()
            server.shutdown()
            server.server_close()

    # What it holds --------------------------------------------------------------------------------

    def add_patient(self, value: str, system: str = SYSTEM, **more: Any) -> str:
        """A new patient with that identifier; the reference to them."""
        patient = {
            "resourceType": "Patient",
            "identifier": [{"system": system, "value": value}],
            **more,
        }
        return self._store(self.history, patient, f"Patient/p{next(self._ids)}")

    def all(self, kind: str) -> list[Resource]:
        """The newest version of each resource of a kind."""
        return [v[-1] for place, v in self.history.items() if place.startswith(f"{kind}/")]

    def by_identifier(self, kind: str, value: str) -> list[Resource]:
        """Those that have an identifier with this value, of whatever system."""
        return [
            one
            for one in self.all(kind)
            if any(each.get("value") == value for each in one.get("identifier", ()))
        ]

    def statuses(self) -> Counter[str]:
        """How many reports and Observations have which status."""
        return Counter(
            f"{kind} {one['status']}"
            for kind in ("DiagnosticReport", "Observation")
            for one in self.all(kind)
        )

    # What it is asked -----------------------------------------------------------------------------

    def search(self, kind: str, form: dict[str, list[str]]) -> Resource:
        """The first page of what is found (FHIR R4 3.1.1)."""
        if self.behaviour.search_status:
            raise RefusedError(self.behaviour.search_status, SECRET)
        wanted = [_token(one) for one in _split(form["identifier"][0], ",")]
        found = self.all(kind)
        if not self.behaviour.ignores_identifiers:
            found = [one for one in found if set(_identifiers(one)) & set(wanted)]
        count = min(int(form.get("_count", ["20"])[0]), LARGEST_PAGE)
        elements = form.get("_elements", [""])[0]
        shown = [_only(one, elements) for one in found[:count]]
        links = [{"relation": "self", "url": f"{self.url}/{kind}"}]
        if len(found) > count or self.behaviour.page:
            links.append({"relation": "next", "url": f"{self.url}?page=2"})
        entries = [{"resource": one, "search": {"mode": "match"}} for one in shown]
        bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "link": links}
        return {**bundle, **({"entry": entries} if entries else {})}

    def transact(self, body: bytes) -> Resource:
        """Do all of a transaction, or nothing."""
        bundle = json.loads(body)
        try:
            get_fhir_model_class("Bundle").model_validate(bundle)
        except ValidationError as error:
            raise RefusedError(422, f"{SECRET} {error}") from error
        after = copy.deepcopy(self.history)
        places = {e["fullUrl"]: self._place(after, e["request"]) for e in bundle["entry"]}
        said: list[Resource] = []
        for number, entry in enumerate(bundle["entry"], 1):
            if self.behaviour.entry_status and number == len(bundle["entry"]):
                outcome = _outcome(SECRET)
                said.append(
                    {"response": {"status": self.behaviour.entry_status, "outcome": outcome}}
                )
                break
            assert entry["request"]["method"] == "PUT"
            resource = self._resolved(after, places, entry["resource"])
            self.behaviour.change(resource)
            place = places[entry["fullUrl"]]
            is_new = place not in after
            self._store(after, resource, place)
            said.append({"response": {"status": "201 Created" if is_new else "200 OK"}})
        if self.behaviour.keeps:
            self.history = after
        return {"resourceType": "Bundle", "type": "transaction-response", "entry": said}

    def _place(self, history: dict[str, list[Resource]], request: Resource) -> str:
        """Where an entry is put; a condition beside a version is refused, as it is ignored by most.

        HAPI and Microsoft's server do not look at ifMatch of a conditional update.
        """
        url, version = request["url"], request.get("ifMatch")
        if version:
            if url not in history or version != f'W/"{history[url][-1]["meta"]["versionId"]}"':
                raise RefusedError(self.behaviour.conflict_status, f"{SECRET}: {version}")
            return str(url)
        kind, condition = url.split("?identifier=")
        token = _token(condition)
        found = [p for p, v in history.items() if p.startswith(f"{kind}/") and _has(v[-1], token)]
        if len(found) > 1:
            raise RefusedError(412, f"{SECRET}: {len(found)} match")
        return found[0] if found else f"{kind}/n{next(self._ids)}"

    def _resolved(
        self, history: dict[str, list[Resource]], places: dict[str, str], resource: Resource
    ) -> Resource:
        def resolved(value: Any) -> Any:
            if isinstance(value, list):
                return [resolved(one) for one in value]
            if not isinstance(value, dict):
                return value
            made = {key: resolved(one) for key, one in value.items()}
            if reference := made.get("reference"):
                made["reference"] = places.get(reference, reference)
                if made["reference"] not in {*history, *places.values()}:
                    raise RefusedError(400, f"{SECRET}: cannot resolve {reference}")
            return made

        made: Resource = resolved(resource)
        return made

    def _store(self, history: dict[str, list[Resource]], resource: Resource, place: str) -> str:
        versions = history.setdefault(place, [])
        meta = {**resource.get("meta", {}), "versionId": str(len(versions) + 1)}
        versions.append({**resource, "id": place.split("/")[1], "meta": meta})
        return place

    def answer(self, body: bytes) -> tuple[int, Resource]:
        """The status and the content that a transaction is answered with."""
        self.bodies[body] += 1
        behaviour = self.behaviour
        if behaviour.status:
            raise RefusedError(behaviour.status, SECRET)
        if not behaviour.transactions:
            raise RefusedError(405, SECRET)
        is_dropped = self._dropped < behaviour.drop_first
        self._dropped += is_dropped
        if is_dropped and not behaviour.drop_keeps:
            raise ConnectionAbortedError
        behaviour.meanwhile()
        with self._lock:
            said = self.transact(body)
        if is_dropped:
            raise ConnectionAbortedError
        return 200, said

    def capabilities(self) -> Resource:
        """What it can do."""
        interactions = [{"code": "transaction"}] if self.behaviour.transactions else []
        return {
            "resourceType": "CapabilityStatement",
            "fhirVersion": self.behaviour.version,
            "rest": [{"mode": "server", "interaction": [*interactions, {"code": "batch"}]}],
        }


@dataclass
class Somebody:
    """Goes on with the report at `place` while we write, as often as `times`."""

    server: FhirServer
    place: str
    status: str
    times: int = 1

    def __call__(self) -> None:
        if self.times:
            self.times -= 1
            newest = self.server.history[self.place][-1]
            meta = {**newest["meta"], "versionId": f"{newest['meta']['versionId']}-more"}
            changed = {**newest, "status": self.status, "meta": meta}
            self.server.history[self.place].append(changed)


class _Handler(BaseHTTPRequestHandler):
    owner: FhirServer

    def do_GET(self) -> None:
        self.owner.asked.append(self.requestline)
        status = self.owner.behaviour.meta_status
        is_meta = urlsplit(self.path).path == "/fhir/metadata"
        self._answer(status or (200 if is_meta else 404), self.owner.capabilities())

    def do_POST(self) -> None:
        self.owner.asked.append(self.requestline)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            is_whole = self.path == "/fhir"
            if not self.path.startswith("/fhir") or (is_whole and self.owner.behaviour.is_login):
                self._send(200, "text/html", b"<!doctype html><title>Log in</title>")
            elif is_whole:
                self._answer(*self.owner.answer(body))
            else:
                kind = self.path.removeprefix("/fhir/").removesuffix("/_search")
                self._answer(200, self.owner.search(kind, parse_qs(body.decode())))
        except RefusedError as refused:
            self._answer(refused.status, _outcome(str(refused)))
        except ConnectionAbortedError:
            self.close_connection = True

    def _answer(self, status: int, content: Resource) -> None:
        self._send(status, "application/fhir+json", json.dumps(content).encode())

    def _send(self, status: int, media_type: str, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", media_type)
        if status in (429, 503) and self.owner.behaviour.retry_after:
            self.send_header("Retry-After", self.owner.behaviour.retry_after)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@contextmanager
def fhir_server() -> Iterator[FhirServer]:
    """One that has no patient, until this ends."""
    server = FhirServer()
    server.open()
    try:
        yield server
    finally:
        server.close()


def _outcome(text: str) -> Resource:
    issue = {"severity": "error", "code": "processing", "diagnostics": text}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def _split(text: str, at: str) -> list[str]:
    """The parts of a parameter; a backslash takes its meaning from the next character."""
    parts, rest = [""], iter(text)
    for character in rest:
        if character == at:
            parts.append("")
        else:
            parts[-1] += character + (next(rest, "") if character == "\\" else "")
    return parts


def _token(text: str) -> tuple[str, str]:
    system, value = (re.sub(r"\\(.)", r"\1", part) for part in _split(text, "|"))
    return system, value


def _identifiers(resource: Resource) -> list[tuple[str, str]]:
    return [(one.get("system", ""), one["value"]) for one in resource.get("identifier", ())]


def _has(resource: Resource, token: tuple[str, str]) -> bool:
    return token in _identifiers(resource)


def _only(resource: Resource, elements: str) -> Resource:
    wanted = {"resourceType", "id", "meta", *elements.split(",")}
    return {k: v for k, v in resource.items() if k in wanted} if elements else resource
