"""Deliver by STOW-RS; prove it by QIDO-RS and WADO-RS metadata (PS3.18 10.4 to 10.6)."""

import itertools
import json
import uuid
from collections.abc import Iterator, Sequence
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from hilum.answers import WHOSE, Acceptance, Answer, Checked, Filed, Shown
from hilum.config.fields import WebAddress
from hilum.config.kinds import DestinationSettings, WebService
from hilum.destinations import CALL_SECONDS, is_answered, series_under
from hilum.errors import RESTART, DeliveryDelayed, DeliveryRefused
from hilum.results import DICOM, Result
from hilum.transport.statuses import answer_of
from hilum.transport.web import Failures, HttpClient, Response, batches

REQUEST_BYTES = 64 << 20  # archives hold a whole request in memory
DICOM_JSON = "application/dicom+json"
FAILED_SOP_SEQUENCE, FAILURE_REASON = "00081198", "00081197"
OTHER_FAILURES_SEQUENCE = "0008119A"
SOP_INSTANCE_UID = "00080018"
PROCESSING_FAILURE = 0x0110
THERE = (HTTPStatus.INTERNAL_SERVER_ERROR, HTTPStatus.NOT_IMPLEMENTED)  # no proxy answers so

FAILURES = Failures(DeliveryDelayed, DeliveryRefused, DeliveryRefused)
CURES: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "the archive says that the request is wrong: its log names the cause",
    HTTPStatus.METHOD_NOT_ALLOWED: "the address does not take results: enable STOW-RS there, or "
    f"correct url, {RESTART}",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too large for the archive or a proxy: raise the limit "
    "there",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "the archive does not take DICOM files: enable STOW-RS",
}


class DicomwebDestinationSettings(WebService, DestinationSettings):
    """An archive with a DICOMweb service."""

    kind: Literal["dicomweb"] = Field(
        "dicomweb", description="STOW-RS to an archive with DICOMweb, proven by QIDO-RS."
    )
    proof: Literal["query", "accepted"] = Field(
        "query",
        description="What shows that a result has arrived: it is asked for (query), or nothing "
        "but that it was accepted (accepted), for services without QIDO-RS.",
    )
    url: WebAddress = Field(
        description="DICOMweb root, such as http://pacs:8042/dicom-web.",
        examples=["http://127.0.0.1:8042/dicom-web"],
    )


class DicomwebDestination:
    """Sends to that service, and asks it."""

    settings = DicomwebDestinationSettings
    takes = (DICOM,)

    def __init__(self, settings: DicomwebDestinationSettings) -> None:
        self.name = settings.name
        self._settings = settings

    def is_reachable(self) -> bool:
        self._settings.password()  # without it nothing is asked, so nobody has refused
        patience = min(self._settings.timeout_seconds, CALL_SECONDS)
        with closing(HttpClient(self._settings, FAILURES, CURES)) as peer:
            one = {"limit": "1"}
            return is_answered(
                lambda: peer.ask("GET", "studies", expected=THERE, params=one, timeout=patience)
            )

    def send(self, results: Sequence[Result]) -> Iterator[Answer]:
        by_path = {result.path: result for result in results}
        with closing(HttpClient(self._settings, FAILURES, CURES)) as peer:
            for batch in batches(by_path, lambda file: file.stat().st_size, REQUEST_BYTES):
                sent = [by_path[path] for path in batch]
                body, content_type = _multipart(batch)
                headers = {"Content-Type": content_type, "Accept": DICOM_JSON}
                try:
                    answer = peer.ask(
                        "POST",
                        "studies",
                        expected=(HTTPStatus.CONFLICT,),
                        content=body,
                        headers=headers,
                    )
                except DeliveryDelayed as error:
                    yield from (Answer(r, Acceptance.UNKNOWN, text=str(error)) for r in sent)
                    raise
                yield from _answers(sent, answer)

    def ask(self, results: Sequence[Result]) -> Shown:
        from hilum.dicom.instance import Instance

        places = {
            result.identity: f"studies/{i.study_uid}/series/{i.series_uid}/instances"
            for result in results
            for i in (Instance.read(result.path),)
        }
        with closing(HttpClient(self._settings, FAILURES, CURES)) as peer:
            shown: set[str] = set()
            for place in set(places.values()):
                shown |= _instances_at(peer, place)
            # A query may be cut short by the archive's limit: ask for the others one by one.
            return Shown(
                tuple(
                    result
                    for result in results
                    if result.identity not in shown
                    and not _has(peer, f"{places[result.identity]}/{result.identity}")
                )
            )

    def filing(self, study_uid: str) -> list[Filed]:
        from pydicom.dataset import Dataset

        with closing(HttpClient(self._settings, FAILURES, CURES)) as peer:
            asked = {"StudyInstanceUID": study_uid, "includefield": WHOSE}
            found = _matches(peer, "studies", HTTPStatus.NOT_FOUND, params=asked)
            asked["includefield"] = ("PatientID",)
            listed = _matches(peer, "series", HTTPStatus.NOT_FOUND, params=asked)
        patients, series = ([Dataset.from_json(i) for i in items] for items in (found, listed))
        return [Filed(stated, series_under(stated, series, patients)) for stated in patients]

    def check(self) -> Iterator[Checked]:
        good = self.is_reachable()
        yield Checked("QIDO-RS", good, "answers" if good else "does not answer")


def _answers(sent: Sequence[Result], answer: Response) -> list[Answer]:
    """One answer to each result of a request."""
    reasons = _failure_reasons(answer)
    if answer.status == HTTPStatus.CONFLICT and not reasons:
        reasons = [PROCESSING_FAILURE] * len(sent)
    reasons += [0] * (len(sent) - len(reasons))
    return [answer_of(result, reason) for result, reason in zip(sent, reasons, strict=False)]


def _instances_at(peer: HttpClient, place: str) -> set[str]:
    # Some archives answer 404 for a series they do not hold.
    shown = _matches(peer, place, HTTPStatus.NOT_FOUND)
    return {str(value) for item in shown for value in _values(item, SOP_INSTANCE_UID)}


def _has(peer: HttpClient, instance: str) -> bool:
    path = f"{instance}/metadata"
    return bool(_matches(peer, path, HTTPStatus.NOT_FOUND, HTTPStatus.GONE))


def _matches(
    peer: HttpClient, path: str, *nothing: HTTPStatus, **request: Any
) -> list[dict[str, Any]]:
    """The DICOM JSON at `path`; none for a status of `nothing`."""
    answer = peer.ask("GET", path, expected=nothing, headers={"Accept": DICOM_JSON}, **request)
    found = [] if answer.status in nothing else peer.json(answer)
    return found if isinstance(found, list) else []


def _multipart(files: Sequence[Path]) -> tuple[bytes, str]:
    """Body and content type of a STOW-RS request (PS3.18 8.6.1.2)."""
    boundary = uuid.uuid4().hex
    part = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    pieces = itertools.chain.from_iterable((part, path.read_bytes(), b"\r\n") for path in files)
    body = b"".join((*pieces, f"--{boundary}--\r\n".encode()))
    return body, f'multipart/related; type="application/dicom"; boundary={boundary}'


def _failure_reasons(answer: Response) -> list[int]:
    """One reason for each instance that was not stored (PS3.18 I.2)."""
    try:
        told = json.loads(answer.content)
    except ValueError:
        return []  # some archives answer success with an empty or XML body; read-back decides
    told = told[0] if isinstance(told, list) and told else told
    if not isinstance(told, dict):
        return []
    failed = [*_values(told, FAILED_SOP_SEQUENCE), *_values(told, OTHER_FAILURES_SEQUENCE)]
    return [_reason(item) for item in failed]


def _reason(failed: object) -> int:
    """Why one instance was not stored; a processing failure where that is not said in a number."""
    try:
        return int(_values(failed, FAILURE_REASON)[0])
    except (IndexError, TypeError, ValueError, OverflowError):
        return PROCESSING_FAILURE


def _values(item: object, tag: str) -> list[Any]:
    """The values of one attribute in DICOM JSON (PS3.18 F.2); none where it is not as it says."""
    element = item.get(tag) if isinstance(item, dict) else None
    values = element.get("Value") if isinstance(element, dict) else None
    return values if isinstance(values, list) else []
