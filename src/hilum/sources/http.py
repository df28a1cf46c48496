"""Requests to an archive that is watched; they change nothing in it."""

import json
from http import HTTPStatus
from typing import Any

from hilum.config.ends import WebService
from hilum.errors import SourceDelayed, SourceError, SourceRefused
from hilum.searching import StudySearch
from hilum.transport.qido import studies_of
from hilum.transport.web import Failures, HttpClient, Response

GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
NOT_OFFERED = (*GONE, HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED)
JSON = "application/dicom+json, application/json"


class ArchiveClient:
    """Asks one archive; used by several threads. Raises `SourceDelayed` or `SourceRefused`."""

    def __init__(self, settings: WebService) -> None:
        self._client = HttpClient(settings, Failures(SourceDelayed, SourceRefused, SourceError))

    def close(self) -> None:
        """End the connections; the next request makes them, and reads the password, anew."""
        self._client.close()

    def file(self, path: str, largest: int, accept: str = "*/*") -> Response | None:
        """The file at `path` of at most `largest` bytes, None if there is nothing (404, 410)."""
        # Compressing pixels takes Orthanc longer than sending them over a local network.
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        return self._found(self._client.ask("GET", path, largest, GONE, headers=headers))

    def text(self, path: str) -> str:
        """The text at `path`, which has to exist."""
        return str(self._required(self.text_if_any(path)))

    def text_if_any(self, path: str) -> str | None:
        """The text at `path`, None if nothing is there."""
        answer = self._found(self._client.ask("GET", path, expected=GONE))
        return answer.content.decode("ascii", "replace").strip() if answer else None

    def json(self, path: str, **query: str | int) -> Any:
        """The JSON at `path`, which has to exist."""
        return self._required(self.json_if_any(path, **query))

    def json_if_any(self, path: str, **query: str | int) -> Any:
        """The JSON at `path`; an empty list without content (204), None if nothing is there."""
        answer = self._found(
            self._client.ask("GET", path, expected=GONE, params=query, headers={"Accept": JSON})
        )
        return self._client.json(answer) if answer else None

    def json_to(self, path: str, question: Any) -> Any:
        """The JSON that answers a POST of `question`, None if that is not offered."""
        asked = self._client.ask(
            "POST",
            path,
            expected=NOT_OFFERED,
            content=json.dumps(question),
            headers={"Accept": JSON, "Content-Type": "application/json"},
        )
        return None if asked.status in NOT_OFFERED else self._client.json(asked)

    def studies(self, wanted: StudySearch, may_name_patients: bool) -> list[str]:
        """The Study Instance UIDs of studies that are looked for by QIDO-RS."""
        return list(studies_of(self._client, wanted, may_name_patients))

    def _found(self, answer: Response) -> Response | None:
        return None if answer.status in GONE else answer

    def _required(self, found: Any) -> Any:
        if found is None:
            raise self._client.refusal(HTTPStatus.NOT_FOUND)
        return found
