"""Deliver by STOW-RS; prove it by QIDO-RS and WADO-RS metadata (PS3.18 10.4 to 10.6)."""

import itertools
import json
import uuid
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx

from hilum.config import Destination
from hilum.destinations.statuses import raise_for
from hilum.dicom.instance import Instance
from hilum.errors import ConfigurationError, DeliveryDelayed, DeliveryRefused
from hilum.web import client, is_busy

REQUEST_BYTES = 64 << 20  # archives hold a whole request in memory
DICOM_JSON = "application/dicom+json"
FAILED_SOP_SEQUENCE, FAILURE_REASON = "00081198", "00081197"
OTHER_FAILURES_SEQUENCE = "0008119A"
SOP_INSTANCE_UID = "00080018"
PROCESSING_FAILURE = 0x0110

CURES: dict[int, str] = {
    HTTPStatus.BAD_REQUEST: "the archive calls the request wrong: its log names the cause",
    HTTPStatus.UNAUTHORIZED: "user name or password are wrong: correct username, password_file",
    HTTPStatus.FORBIDDEN: "the user may not do this: give it the right in the archive",
    HTTPStatus.NOT_FOUND: "there is no DICOMweb service at that address: correct url",
    HTTPStatus.METHOD_NOT_ALLOWED: "the address does not take results: correct url, enable STOW-RS",
    HTTPStatus.NOT_ACCEPTABLE: "the archive cannot answer in DICOM JSON: update or configure it",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "too large for the archive or a proxy: raise its limit",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "the archive does not take DICOM files: enable STOW-RS",
}


class DicomwebDestination:
    """An archive with a DICOMweb service."""

    def __init__(self, settings: Destination) -> None:
        if not settings.url:
            raise ConfigurationError(f"destination {settings.name}: kind dicomweb needs `url`")
        self.name = settings.name
        self._settings = settings
        self._url = settings.url.rstrip("/")

    def send(self, files: Sequence[Path]) -> None:
        with client(self._settings) as session:
            for batch in _batches(files):
                body, content_type = _multipart(batch)
                headers = {"Content-Type": content_type, "Accept": DICOM_JSON}
                response = self._request(session, "POST", "studies", content=body, headers=headers)
                if response.status_code == HTTPStatus.CONFLICT:
                    reasons = _failure_reasons(response) or [PROCESSING_FAILURE] * len(batch)
                else:
                    self._check(response)
                    reasons = _failure_reasons(response)
                raise_for(reasons + [0] * (len(batch) - len(reasons)), self.name)

    def missing(self, files: Sequence[Path]) -> list[Path]:
        instances = [Instance.read(path) for path in files]
        with client(self._settings) as session:
            shown: set[str] = set()
            for study_uid, series_uid in {(i.study_uid, i.series_uid) for i in instances}:
                shown |= self._instances_of(session, study_uid, series_uid)
            # A query may be cut short by the archive's limit: ask for the others one by one.
            return [
                instance.path
                for instance in instances
                if instance.sop_instance_uid not in shown and not self._has(session, instance)
            ]

    def _instances_of(self, session: httpx.Client, study_uid: str, series_uid: str) -> set[str]:
        path = f"studies/{study_uid}/series/{series_uid}/instances"
        response = self._request(session, "GET", path, headers={"Accept": DICOM_JSON})
        if response.status_code in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_FOUND):
            return set()  # some archives answer 404 for a series they do not hold
        self._check(response)
        return {
            str(item.get(SOP_INSTANCE_UID, {}).get("Value", [""])[0]) for item in _json(response)
        }

    def _has(self, session: httpx.Client, instance: Instance) -> bool:
        path = (
            f"studies/{instance.study_uid}/series/{instance.series_uid}"
            f"/instances/{instance.sop_instance_uid}/metadata"
        )
        response = self._request(session, "GET", path, headers={"Accept": DICOM_JSON})
        if response.status_code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
            return False
        self._check(response)
        return bool(_json(response))

    def _request(
        self, session: httpx.Client, method: str, path: str, **request: Any
    ) -> httpx.Response:
        try:
            return session.request(method, f"{self._url}/{path}", **request)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise DeliveryRefused(f"{self.name}: {self._url} is not an http address") from error
        except httpx.TransportError as error:
            raise DeliveryDelayed(
                f"{self.name}: {self._url} cannot be reached ({type(error).__name__})"
            ) from error

    def _check(self, response: httpx.Response) -> None:
        """Raise unless the archive did what was asked."""
        status = response.status_code
        if response.is_success:
            return
        if is_busy(response):
            raise DeliveryDelayed(f"{self.name}: the archive answers HTTP {status}")
        cure = CURES.get(status, "unexpected: correct url, or look into its log")
        raise DeliveryRefused(f"{self.name}: HTTP {status}: {cure}")


def _batches(files: Sequence[Path]) -> Iterator[list[Path]]:
    batch: list[Path] = []
    size = 0
    for path in files:
        length = path.stat().st_size
        if batch and size + length > REQUEST_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(path)
        size += length
    if batch:
        yield batch


def _multipart(files: Sequence[Path]) -> tuple[bytes, str]:
    """Body and content type of a STOW-RS request (PS3.18 8.6.1.2)."""
    boundary = uuid.uuid4().hex
    part = f"--{boundary}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    pieces = itertools.chain.from_iterable((part, path.read_bytes(), b"\r\n") for path in files)
    body = b"".join((*pieces, f"--{boundary}--\r\n".encode()))
    return body, f'multipart/related; type="application/dicom"; boundary={boundary}'


def _failure_reasons(response: httpx.Response) -> list[int]:
    """One reason for each instance that was not stored (PS3.18 I.2)."""
    try:
        answer = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        return []  # some archives answer success with an empty or XML body; read-back decides
    answer = answer[0] if isinstance(answer, list) and answer else answer
    if not isinstance(answer, dict):
        return []
    failed = [
        *answer.get(FAILED_SOP_SEQUENCE, {}).get("Value", []),
        *answer.get(OTHER_FAILURES_SEQUENCE, {}).get("Value", []),
    ]
    return [
        int((item.get(FAILURE_REASON, {}).get("Value") or [PROCESSING_FAILURE])[0])
        for item in failed
    ]


def _json(response: httpx.Response) -> list[dict[str, Any]]:
    try:
        answer = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DeliveryRefused("the archive does not answer in DICOM JSON: correct url") from error
    return answer if isinstance(answer, list) else []
